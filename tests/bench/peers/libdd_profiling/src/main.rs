// SPDX-License-Identifier: Apache-2.0
//! The Rust crate libdd-profiling on the work of tests/bench/lib_work.h, through its public API;
//! the counterpart of tests/bench/lib_bench.c, with the same commands and keys. Called by
//! tests/bench/lib.sh.
//!
//! usage: bench_libdd_profiling strings|timestamps|ids|stacks WORK OUT.pprof SAMPLES
//!        bench_libdd_profiling intern STRINGS | dump-strings STRINGS

use libdd_profiling::api;
use libdd_profiling::collections::string_table::wordpress_test_data::WORDPRESS_STRINGS;
use libdd_profiling::internal::interning_api::GenerationalId;
use libdd_profiling::internal::Profile;
use libdd_profiling::internal::{LabelId, LabelSetId, LocationId, StackTraceId};
use std::hint::black_box;
use std::num::NonZeroI64;
use std::time::{Duration, SystemTime};

const STACKS: u32 = 5000;
const FRAMES: usize = 18;
const THREADS: u32 = 64;
const FIRST_THREAD_ID: i64 = 1000;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const BATCH: u32 = 64; // samples made ahead, so that making them is not timed
const ROUNDS: u32 = 200; // of interning all strings twice

#[repr(C)]
struct Timespec {
    tv_sec: i64,
    tv_nsec: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, to: *mut Timespec) -> i32;
}

/// CPU time of this thread: what else the machine does is not in it.
fn now() -> Duration {
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    let mut t = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: libc's function, with memory of the right size
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

type Error = Box<dyn std::error::Error>;

/// As struct work of lib_work.h, and of its size.
struct Work {
    text: String, // of all strings
    strings: Vec<(u32, u32)>, // from and to, in the text
    mappings: Vec<(u32, u32, u64, u64)>,
    functions: Vec<(u32, u32)>,
    locations: Vec<(u32, u32, u32, u64)>,
    stacks: Vec<[u32; FRAMES]>,
    thread_names: Vec<u32>,
}

impl Work {
    fn string(&self, number: u32) -> &str {
        let (from, to) = self.strings[number as usize];
        &self.text[from as usize..to as usize]
    }
}

/// The file that lib_bench wrote; lib_work.h says how it is laid out.
fn read_work(path: &str) -> Result<Work, Error> {
    let text = std::fs::read_to_string(path)?;
    let mut words = text.split_ascii_whitespace();
    let number = |words: &mut std::str::SplitAsciiWhitespace| -> u64 {
        words.next().unwrap().parse().unwrap()
    };
    let n: Vec<u64> = (0..4).map(|_| number(&mut words)).collect();
    let mut text = String::new();
    let strings = (0..n[0])
        .map(|_| {
            let from = text.len() as u32;
            text.push_str(words.next().unwrap());
            (from, text.len() as u32)
        })
        .collect();
    let index = |words: &mut std::str::SplitAsciiWhitespace| number(words) as u32;
    let mappings = (0..n[1])
        .map(|_| {
            (
                index(&mut words),
                index(&mut words),
                number(&mut words),
                number(&mut words),
            )
        })
        .collect();
    let functions = (0..n[2])
        .map(|_| (index(&mut words), index(&mut words)))
        .collect();
    let locations = (0..n[3])
        .map(|_| {
            (
                index(&mut words),
                index(&mut words),
                index(&mut words),
                number(&mut words),
            )
        })
        .collect();
    let stacks = (0..STACKS)
        .map(|_| std::array::from_fn(|_| index(&mut words)))
        .collect();
    let thread_names = (0..THREADS).map(|_| index(&mut words)).collect();
    Ok(Work {
        text,
        strings,
        mappings,
        functions,
        locations,
        stacks,
        thread_names,
    })
}

struct Drawn {
    stack: usize,
    thread: usize,
    values: [i64; 2],
    timestamp_ns: i64,
}

/// work_next() of lib_work.h
fn draw(state: &mut u64, i: u32) -> Drawn {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    let r = *state;
    let stack = (r >> 8) % STACKS as u64;
    Drawn {
        stack: stack as usize,
        thread: ((stack * 7 + (r >> 4 & 1)) % THREADS as u64) as usize,
        values: [1, 10_000_000 + ((r >> 40) % 100 * 1000) as i64],
        timestamp_ns: 1_700_000_000_000_000_000 + i as i64 * 60_000 + (r >> 48) as i64,
    }
}

fn new_profile() -> Result<Profile, Error> {
    let cpu_time = api::ValueType::new("cpu-time", "nanoseconds");
    let types = [api::ValueType::new("cpu-samples", "count"), cpu_time];
    let period = api::Period {
        r#type: cpu_time,
        value: 10_101_010,
    };
    let mut p = Profile::try_new(&types, Some(period))?;
    p.set_start_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))?;
    Ok(p)
}

fn location(w: &Work, id: u32) -> api::Location<'_> {
    let (mapping, function, line, address) = w.locations[id as usize];
    let (filename, build_id, memory_start, memory_limit) = w.mappings[mapping as usize];
    let (name, source) = w.functions[function as usize];
    api::Location {
        mapping: api::Mapping {
            memory_start,
            memory_limit,
            file_offset: 0,
            filename: w.string(filename),
            build_id: w.string(build_id),
        },
        function: api::Function {
            name: w.string(name),
            system_name: "",
            filename: w.string(source),
        },
        address,
        line: line as i64,
    }
}

fn labels(w: &Work, thread: usize) -> Vec<api::Label<'_>> {
    vec![
        api::Label {
            key: "thread id",
            num: FIRST_THREAD_ID + thread as i64,
            ..Default::default()
        },
        api::Label {
            key: "thread name",
            str: w.string(w.thread_names[thread]),
            ..Default::default()
        },
    ]
}

/// Adds all samples by strings; the time that adding took.
fn add_strings(w: &Work, p: &mut Profile, nr: u32, timed: bool) -> Result<Duration, Error> {
    let mut state = SEED;
    let mut took = Duration::ZERO;
    for first in (0..nr).step_by(BATCH as usize) {
        let drawn: Vec<Drawn> = (first..nr.min(first + BATCH))
            .map(|i| draw(&mut state, i))
            .collect();
        let mut batch = Vec::with_capacity(BATCH as usize);
        for d in &drawn {
            let sample = api::Sample {
                locations: w.stacks[d.stack].iter().map(|l| location(w, *l)).collect(),
                values: &d.values,
                labels: labels(w, d.thread),
            };
            batch.push((
                sample,
                if timed {
                    NonZeroI64::new(d.timestamp_ns)
                } else {
                    None
                },
            ));
        }
        let start = now();
        for (sample, timestamp) in batch {
            p.try_add_sample(sample, timestamp)?;
        }
        took += now() - start;
    }
    Ok(took)
}

/// The ids that a caller who interns keeps.
struct Ids {
    stacks: Vec<Vec<GenerationalId<LocationId>>>,
    labels: Vec<[GenerationalId<LabelId>; 2]>,
}

fn intern_work(w: &Work, p: &mut Profile) -> Result<Ids, Error> {
    let generation = p.get_generation()?;
    let mut locations: Vec<LocationId> = Vec::new();
    for id in 0..w.locations.len() {
        let l = location(w, id as u32);
        let function = {
            let (name, file) = (
                p.intern_string(l.function.name)?,
                p.intern_string(l.function.filename)?,
            );
            p.intern_function(name, Profile::INTERNED_EMPTY_STRING, file)?
        };
        let (file, build_id) = (
            p.intern_string(l.mapping.filename)?,
            p.intern_string(l.mapping.build_id)?,
        );
        let mapping = p.intern_mapping(
            l.mapping.memory_start,
            l.mapping.memory_limit,
            0,
            file,
            build_id,
        )?;
        locations.push(
            p.intern_location(Some(mapping), function, l.address, l.line)?
                .get(generation)?,
        );
    }
    let ids = |s: &[u32; FRAMES]| {
        s.iter()
            .map(|l| GenerationalId::new(locations[*l as usize], generation))
            .collect()
    };
    let stacks = w.stacks.iter().map(ids).collect();
    let mut labels = Vec::new();
    for thread in 0..THREADS as usize {
        let (id_key, name_key) = (
            p.intern_string("thread id")?,
            p.intern_string("thread name")?,
        );
        let name = p.intern_string(w.string(w.thread_names[thread]))?;
        let id = FIRST_THREAD_ID + thread as i64;
        labels.push([
            p.intern_label_num(id_key, id, Profile::INTERNED_EMPTY_STRING)?,
            p.intern_label_str(name_key, name)?,
        ]);
    }
    Ok(Ids { stacks, labels })
}

/// Adds all samples by 18 location ids and 2 label ids each.
fn add_ids(w: &Work, p: &mut Profile, nr: u32) -> Result<Duration, Error> {
    let ids = intern_work(w, p)?;
    let mut state = SEED;
    let start = now();
    for i in 0..nr {
        let d = draw(&mut state, i);
        let stack = p.intern_stacktrace(&ids.stacks[d.stack])?;
        let labels = p.intern_labelset(&ids.labels[d.thread])?;
        p.intern_sample(stack, &d.values, labels, None)?;
    }
    Ok(now() - start)
}

/// Adds all samples by the id of the stack and that of the label set.
fn add_stacks(w: &Work, p: &mut Profile, nr: u32) -> Result<Duration, Error> {
    let generation = p.get_generation()?;
    let ids = intern_work(w, p)?;
    let mut stacks: Vec<StackTraceId> = Vec::new();
    for stack in &ids.stacks {
        stacks.push(p.intern_stacktrace(stack)?.get(generation)?);
    }
    let mut sets: Vec<LabelSetId> = Vec::new();
    for labels in &ids.labels {
        sets.push(p.intern_labelset(labels)?.get(generation)?);
    }
    let mut state = SEED;
    let start = now();
    for i in 0..nr {
        let d = draw(&mut state, i);
        let stack = GenerationalId::new(stacks[d.stack], generation);
        let labels = GenerationalId::new(sets[d.thread], generation);
        p.intern_sample(stack, &d.values, labels, None)?;
    }
    Ok(now() - start)
}

/// Resident memory of this process, MiB: "VmRSS:" now, "VmHWM:" at its peak.
fn rss_mb(which: &str) -> Result<f64, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|l| l.starts_with(which))
        .ok_or("no such line")?;
    Ok(line
        .split_ascii_whitespace()
        .nth(1)
        .ok_or("no number")?
        .parse::<f64>()?
        / 1024.0)
}

fn run_adds(command: &str, work: &str, out: &str, nr: u32) -> Result<(), Error> {
    let w = read_work(work)?;
    let base_mb = rss_mb("VmRSS:")?;
    let mut p = new_profile()?;
    let took = match command {
        "ids" => add_ids(&w, &mut p, nr)?,
        "stacks" => add_stacks(&w, &mut p, nr)?,
        _ => add_strings(&w, &mut p, nr, command == "timestamps")?,
    };
    println!("add_ns={:.1}", took.as_nanos() as f64 / nr as f64);
    println!("built_mb={:.2}", rss_mb("VmRSS:")? - base_mb);
    drop(w);
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_060);
    let start = now();
    let encoded = p.serialize_into_compressed_pprof(Some(end), None);
    let took = now() - start;
    println!("rss_mb={:.2}\nbase_mb={:.2}", rss_mb("VmHWM:")?, base_mb);
    match encoded {
        Ok(encoded) => {
            println!(
                "encode_ms={:.3}\nbytes={}",
                took.as_nanos() as f64 / 1e6,
                encoded.buffer.len()
            );
            std::fs::write(out, &encoded.buffer)?;
        }
        // it has a limit of 16 MiB
        Err(e) => println!("encode_refused={}", e.to_string().replace(' ', "_")),
    }
    Ok(())
}

fn run_intern(path: &str) -> Result<(), Error> {
    let text = std::fs::read_to_string(path)?;
    let strings: Vec<&str> = text.lines().collect();
    let mut took = Duration::ZERO;
    for _ in 0..ROUNDS {
        let mut p = new_profile()?;
        let start = now();
        for s in strings.iter().chain(&strings) {
            black_box(p.intern_string(s)?);
        }
        took += now() - start;
    }
    let interned = strings.len() as f64 * 2.0 * ROUNDS as f64;
    println!(
        "intern_ns={:.1}\nstrings={}",
        took.as_nanos() as f64 / interned,
        strings.len()
    );
    Ok(())
}

fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [command @ ("strings" | "timestamps" | "ids" | "stacks"), work, out, samples] => {
            run_adds(command, work, out, samples.parse()?)
        }
        ["intern", strings] => run_intern(strings),
        ["dump-strings", strings] => Ok(std::fs::write(
            strings,
            WORDPRESS_STRINGS.join("\n") + "\n",
        )?),
        _ => Err("see the file's head for its usage".into()),
    }
}
