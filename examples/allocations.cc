// SPDX-License-Identifier: Apache-2.0
//
// An embedding: a C++ program that samples its own allocations and hands out a profile now and
// then.
//
// - One allocation in every 512 KiB allocated is sampled, at random distances, so that no pattern
//   of the program is missed. An upscaling rule turns the samples into an estimate of everything.
// - Samples carry a timestamp, for a timeline.
// - A thread of its own ends the interval, encodes the snapshot while the program goes on, and
//   writes DIR/allocations-N.pprof, or uploads it when there is a URL (an agent's, for example
//   http://localhost:8126, or unix:///var/run/datadog/apm.socket).
//
// usage: allocations DIR [URL]
// Prints how much was allocated, to be compared with what the profiles say (top DIR/*.pprof), and
// how many samples are in none of them; fails when an interval did not get out.

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include <ddprof/compress.h>
#include <ddprof/exporter.h>
#include <ddprof/pprof.h>
#include <ddprof/profile.h>

namespace {

constexpr uint64_t kSampleBytes = 512 * 1024;	// one sample every so many, on average
constexpr int kAllocations = 2000000;
constexpr std::chrono::milliseconds kInterval(50);	// a minute in real life

void check(int r, const char *what)
{
	if (r < 0)
		throw std::runtime_error(std::string(what) + ": " + std::strerror(-r));
}

template <typename T, void (*destroy)(T *)> struct Destroy {
	void operator()(T *p) const { destroy(p); }
};
using Profile = std::unique_ptr<ddp_profile, Destroy<ddp_profile, ddp_profile_destroy>>;
using Compressor = std::unique_ptr<ddp_compressor, Destroy<ddp_compressor, ddp_compressor_destroy>>;
using Exporter = std::unique_ptr<ddp_exporter, Destroy<ddp_exporter, ddp_exporter_destroy>>;

struct Buffer : ddp_buffer {
	Buffer() : ddp_buffer() {}
	~Buffer() { ddp_buffer_free(this); }
	Buffer(const Buffer &) = delete;
	Buffer &operator=(const Buffer &) = delete;
};

int64_t unix_ns()
{
	using namespace std::chrono;
	return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

// The profile and its lock: libddprof does not lock by itself.
class AllocationProfile {
public:
	AllocationProfile()
	{
		const ddp_value_type types[] = { { DDP_ALLOC_SAMPLES }, { DDP_ALLOC_SPACE } };
		ddp_profile_config config = {};
		config.value_types = types;
		config.nr_value_types = 2;
		config.start_unix_ns = unix_ns();
		config.max_bytes = 64 << 20;
		ddp_profile *p = nullptr;
		check(ddp_profile_create(&config, &p), "ddp_profile_create");
		profile_.reset(p);
		add_rule();
	}

	// One sampled allocation. A full profile loses the sample, never the program.
	void add(const ddp_text_frame *frames, uint32_t nr, uint64_t bytes)
	{
		const int64_t values[] = { 1, int64_t(bytes) };
		ddp_text_sample s = {};
		s.frames = frames;
		s.nr_frames = nr;
		s.values = values;
		s.nr_values = 2;
		s.timestamp_ns = unix_ns();
		std::lock_guard<std::mutex> guard(lock_);
		if (ddp_profile_add_text(profile_.get(), &s))
			lost_++;
	}

	// What was collected so far, now this thread's alone; the next interval begins.
	Profile end_interval()
	{
		std::lock_guard<std::mutex> guard(lock_);
		ddp_profile *old = nullptr;
		check(ddp_profile_reset(profile_.get(), unix_ns(), &old), "ddp_profile_reset");
		Profile ended(old);
		add_rule();	// a reset drops the rules
		return ended;
	}

	// An interval that did not get out
	void lose(const ddp_profile *ended) { lost_ += samples(ended); }

	// When nobody adds any more; what is left in the profile will not get out either.
	uint64_t lost() const { return lost_ + samples(profile_.get()); }

private:
	// An allocation of n bytes is seen with the probability 1 - exp(-n / kSampleBytes).
	void add_rule()
	{
		const uint32_t both[] = { 0, 1 };
		ddp_upscaling_rule rule = {};
		rule.kind = DDP_UPSCALE_POISSON;
		rule.offsets = both;
		rule.nr_offsets = 2;
		rule.sum = 1;
		rule.count_at = 0;
		rule.distance = kSampleBytes;
		check(ddp_profile_upscale(profile_.get(), &rule), "ddp_profile_upscale");
	}

	static uint64_t samples(const ddp_profile *p)
	{
		ddp_profile_counts counts;
		ddp_profile_count(p, &counts);
		return counts.samples;
	}

	std::mutex lock_;
	Profile profile_;
	std::atomic<uint64_t> lost_{ 0 };
};

// Where a finished interval goes.
class Output {
public:
	Output(const char *dir, const char *url) : dir_(dir)
	{
		if (!url)
			return;
		ddp_exporter_config config = {};
		config.url = url;
		ddp_exporter *e = nullptr;
		ddp_error err;
		if (ddp_exporter_create(&config, &e, &err))
			throw std::runtime_error(err.text);
		exporter_.reset(e);
	}

	void put(const ddp_profile *p, int64_t start, int64_t end)
	{
		Buffer bytes;
		ddp_compressor *c = nullptr;
		check(ddp_compressor_create(exporter_ ? DDP_LZ4 : DDP_GZIP, 0, ddp_buffer_write,
					    &bytes, &c), "ddp_compressor_create");
		Compressor compressor(c);
		check(ddp_pprof_encode(p, end, ddp_compressor_write, c), "ddp_pprof_encode");
		check(ddp_compressor_finish(c), "ddp_compressor_finish");
		if (exporter_)
			upload(bytes, start, end);
		else
			write_file(bytes);
	}

private:
	void upload(const ddp_buffer &bytes, int64_t start, int64_t end)
	{
		Buffer tags;
		check(ddp_tags_add(&tags, "service", "allocations"), "ddp_tags_add");
		ddp_export_form form = {};
		form.start_unix_ns = start;
		form.end_unix_ns = end;
		form.tags = &tags;
		form.profile = bytes.bytes;
		form.profile_bytes = bytes.len;
		ddp_export_result result;
		int r = ddp_exporter_send(exporter_.get(), &form, &result);
		check(r, "ddp_exporter_send");
		if (r != DDP_EXPORT_OK)
			throw std::runtime_error(result.message);
	}

	void write_file(const ddp_buffer &bytes)
	{
		std::string path = dir_ + "/allocations-" + std::to_string(++nr_) + ".pprof";
		std::FILE *f = std::fopen(path.c_str(), "wb");
		int error = f && std::fwrite(bytes.bytes, 1, bytes.len, f) == bytes.len ? 0 : errno;
		if (f && std::fclose(f) && !error)
			error = errno;
		check(-error, ("cannot write " + path).c_str());
	}

	std::string dir_;
	Exporter exporter_;
	int nr_ = 0;
};

// Ends an interval every kInterval, and a last one when it is told to finish.
class Rotation {
public:
	Rotation(AllocationProfile &profile, Output &output)
		: profile_(profile), output_(output), thread_([this] { run(); }) {}

	~Rotation() { finish(); }

	// Whether every interval got out
	bool finish()
	{
		if (!thread_.joinable())
			return good_;
		{
			std::lock_guard<std::mutex> guard(lock_);
			stop_ = true;
		}
		wake_.notify_one();
		thread_.join();
		return good_;
	}

private:
	void run()
	{
		bool last = false;
		while (!last) {
			int64_t start = unix_ns();
			{
				std::unique_lock<std::mutex> guard(lock_);
				last = wake_.wait_for(guard, kInterval, [this] { return stop_; });
			}
			rotate(start);
		}
	}

	// A program would try again a few times; here what does not get out is lost, and counted.
	void rotate(int64_t start)
	{
		Profile old;
		try {
			old = profile_.end_interval();
			output_.put(old.get(), start, unix_ns());
		} catch (const std::exception &e) {
			std::fprintf(stderr, "allocations: %s\n", e.what());
			good_ = false;
			if (old)
				profile_.lose(old.get());
		}
	}

	AllocationProfile &profile_;
	Output &output_;
	std::mutex lock_;
	std::condition_variable wake_;
	bool stop_ = false;
	bool good_ = true;
	std::thread thread_;	// last: it uses all of the above
};

// Decides which allocations are samples, for one thread; called for each, so it is a subtraction.
class Sampler {
public:
	explicit Sampler(AllocationProfile &profile)
		: profile_(profile), next_(distance_(random_)) {}

	void allocated(const ddp_text_frame *frames, uint32_t nr, uint64_t bytes)
	{
		next_ -= double(bytes);
		if (next_ >= 0)
			return;
		profile_.add(frames, nr, bytes);
		while (next_ < 0)	// one sample, however many distances it spans
			next_ += distance_(random_);
	}

private:
	AllocationProfile &profile_;
	std::mt19937_64 random_{ 42 };	// the same every run, so that runs can be compared
	std::exponential_distribution<double> distance_{ 1.0 / kSampleBytes };
	double next_;
};

// What the program does: small strings in one place, large buffers in another.
uint64_t work(Sampler &sampler)
{
	ddp_text_frame frames[2] = {};
	frames[1].function = ddp_text_from("main");
	frames[1].file = ddp_text_from("shop.cc");
	frames[1].line = 10;
	uint64_t total = 0;
	for (int i = 0; i < kAllocations; i++) {
		bool large = i % 100 == 0;
		size_t bytes = large ? 64 * 1024 : 48 + i % 512;
		frames[0].function = ddp_text_from(large ? "read_image" : "parse_word");
		frames[0].file = ddp_text_from(large ? "image.cc" : "words.cc");
		std::unique_ptr<char[]> memory(new char[bytes]);
		memory[0] = 1;
		sampler.allocated(frames, 2, bytes);
		total += bytes;
	}
	return total;
}

bool run(const char *dir, const char *url)
{
	AllocationProfile profile;
	Output output(dir, url);
	Rotation rotation(profile, output);
	Sampler sampler(profile);
	uint64_t total = work(sampler);
	bool good = rotation.finish();
	std::printf("allocated %d objects, %" PRIu64 " bytes; lost %" PRIu64 " samples\n",
		    kAllocations, total, profile.lost());
	return good && !profile.lost();
}

} // namespace

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3) {
		std::fprintf(stderr, "usage: allocations DIR [URL]\n");
		return 2;
	}
	try {
		return run(argv[1], argc == 3 ? argv[2] : nullptr) ? 0 : 1;
	} catch (const std::exception &e) {
		std::fprintf(stderr, "allocations: %s\n", e.what());
		return 1;
	}
}
