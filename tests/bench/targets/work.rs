// SPDX-License-Identifier: Apache-2.0
//! Rust to be stopped at random: threads that recurse, sort, hash, format and unwind. Runs until killed.
use std::collections::{BTreeMap, HashMap};
use std::panic;
use std::thread;

#[derive(Debug)]
enum Tree {
    Leaf(u64),
    Node(Box<Tree>, Box<Tree>),
}

#[inline(never)]
fn grow(depth: u32, seed: u64) -> Tree {
    if depth == 0 {
        return Tree::Leaf(seed);
    }
    let next = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
    if next % 7 == 0 {
        return Tree::Node(Box::new(Tree::Leaf(next)), Box::new(grow(depth - 1, next)));
    }
    Tree::Node(Box::new(grow(depth - 1, next)), Box::new(Tree::Leaf(seed)))
}

#[inline(never)]
fn sum(tree: &Tree) -> u64 {
    match tree {
        Tree::Leaf(n) => *n % 1000,
        Tree::Node(a, b) => sum(a).wrapping_add(sum(b)),
    }
}

#[inline(never)]
fn fail(depth: u32, seed: u64) -> u64 {
    if depth == 0 {
        panic::resume_unwind(Box::new(seed));
    }
    let text = format!("{depth}-{seed}");
    fail(depth - 1, seed + text.len() as u64) + 1
}

fn work(mut seed: u64) {
    let mut words: HashMap<String, u64> = HashMap::new();
    let mut ordered: BTreeMap<u64, String> = BTreeMap::new();
    loop {
        seed = seed.wrapping_add(1);
        let tree = grow((seed % 40) as u32, seed);
        let text = format!("{:?}", tree);
        *words.entry(text[..text.len().min(24)].to_string()).or_default() += sum(&tree);
        let mut numbers: Vec<u64> = (0..300).map(|i| (i * seed) % 1009).collect();
        numbers.sort_by(|a, b| b.to_string().cmp(&a.to_string()));
        ordered.insert(numbers[17], text);
        let caught = panic::catch_unwind(|| fail((seed % 20) as u32, seed));
        if caught.is_ok() || words.len() > 500 {
            words.clear();
            ordered.clear();
        }
    }
}

fn main() {
    let threads: Vec<_> = (1..4).map(|i| thread::spawn(move || work(i * 1000))).collect();
    for t in threads {
        t.join().unwrap();
    }
}
