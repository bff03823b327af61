// A program with much debug information: everything below is compiled anew for each of the types that
// Tools/bench-postmortem puts in the place of the two marked lines. It ends in a lock it already holds.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::hint::black_box;
use std::sync::{Mutex, RwLock};

trait Kind {
    const SEED: u64;
}

#[inline(never)]
fn work<K: Kind + Clone + Ord + Hash + Debug + Default>(depth: u64) -> u64 {
    let mut map: HashMap<K, Vec<(u64, K)>> = HashMap::new();
    let mut tree: BTreeMap<(K, u64), String> = BTreeMap::new();
    for i in 0..depth {
        map.entry(K::default()).or_default().push((i ^ K::SEED, K::default()));
        tree.insert((K::default(), i), format!("{:?}", K::default()));
    }
    let mut all: Vec<_> = map
        .into_iter()
        .flat_map(|(k, v)| v.into_iter().map(move |(n, o)| (n, k.clone(), o)))
        .collect();
    all.sort_by(|a, b| b.cmp(a));
    let shared = RwLock::new(tree);
    let total: u64 = all.iter().filter(|(n, _, _)| n % 3 == 0).map(|(n, _, _)| n.wrapping_mul(31)).sum();
    let read = shared.read().unwrap();
    total.wrapping_add(read.range((K::default(), 0)..).take(3).map(|(k, s)| k.1 + s.len() as u64).sum::<u64>())
}

// TYPES

fn all(depth: u64) -> u64 {
    let mut sum = 0u64;
    // CALLS
    sum
}

fn main() {
    black_box(all(black_box(2)));
    let lock = Mutex::new(0);
    let first = lock.lock().unwrap();
    println!("standing");
    let second = lock.lock().unwrap();
    println!("{first} {second}");
}
