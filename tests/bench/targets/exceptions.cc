// SPDX-License-Identifier: Apache-2.0
/*
 * C++ to be stopped at random: four threads that recurse, throw and catch through many frames,
 * sort, format and match, with a timer's signals on top, one thread's on a stack of their own. Runs
 * until it is killed. To be built optimised and without frame pointers.
 */
#include <algorithm>
#include <map>
#include <memory>
#include <regex>
#include <signal.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/time.h>
#include <thread>
#include <vector>

namespace {

volatile unsigned long sink;

struct guard {
	unsigned long &n;
	explicit guard(unsigned long &n) : n(n) { n++; }
	~guard() { n--; }
};

/* a frame of varying size: rows whose CFA is relative to rbp */
[[gnu::noinline]] unsigned long varying(unsigned long seed)
{
	size_t nr = 16 + seed % 400;
	auto *words = static_cast<unsigned long *>(__builtin_alloca(nr * sizeof(unsigned long)));

	for (size_t i = 0; i < nr; i++)
		words[i] = seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	std::sort(words, words + nr);
	return words[nr / 2];
}

[[gnu::noinline]] void descend(int depth, unsigned long seed, unsigned long &live)
{
	guard g(live);

	sink = varying(seed);
	if (depth == 0) {
		if (seed % 3 == 0)
			throw std::runtime_error("bottom " + std::to_string(seed));
		if (seed % 3 == 1)
			throw static_cast<int>(seed);
		return;
	}
	try {
		descend(depth - 1, seed * 31 + depth, live);
	} catch (const std::runtime_error &e) {
		if (depth % 5)
			throw;
		sink = std::string(e.what()).size();
	}
	sink = live;
}

struct visitor {
	virtual ~visitor() = default;
	virtual unsigned long visit(unsigned depth) = 0;
};

struct formatter : visitor {
	std::map<std::string, unsigned long> words;
	std::regex pattern{"([a-z]+)-([0-9]+)(x|y)*"};

	unsigned long visit(unsigned depth) override
	{
		std::ostringstream out;
		std::smatch match;

		if (depth)
			return visit(depth - 1) + 1;
		for (int i = 0; i < 40; i++)
			out << "word-" << i * 1.25 << ' ' << std::hex << i;
		words[out.str().substr(sink % 20, 8)]++;
		const std::string text = "abc-" + std::to_string(sink) + "xyxy";
		return std::regex_match(text, match, pattern) + words.size();
	}
};

[[gnu::noinline]] void work(unsigned seed)
{
	formatter f;
	unsigned long live = 0;

	for (unsigned i = seed;; i++) {
		try {
			descend(i % 30, i, live);
		} catch (...) {
			sink = i;
		}
		sink = f.visit(i % 20);
		if (f.words.size() > 2000)
			f.words.clear();
	}
}

void on_timer(int)
{
	sink = varying(sink);
}

void alternate_stack_work(unsigned seed)
{
	static char bytes[64 * 1024];
	stack_t stack = {};

	stack.ss_sp = bytes;
	stack.ss_size = sizeof(bytes);
	sigaltstack(&stack, nullptr);
	work(seed);
}

} // namespace

int main()
{
	struct sigaction action = {};
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	std::vector<std::thread> threads;

	action.sa_handler = on_timer;
	action.sa_flags = SA_ONSTACK | SA_RESTART;
	sigaction(SIGPROF, &action, nullptr);
	setitimer(ITIMER_PROF, &timer, nullptr);
	threads.emplace_back(alternate_stack_work, 1);
	for (unsigned i = 2; i < 4; i++)
		threads.emplace_back(work, i);
	work(4);
}
