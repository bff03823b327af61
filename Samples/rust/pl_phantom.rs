// The phantom lock: parking_lot 0.12.1's `RwLock`, where a writer's `try_write_for` that times out just as the last reader
// leaves takes its bits back twice. The word becomes all ones: a writer and readers without number, none of whom exists.
// Everybody parks, and nobody is left to wake them.
//
// The state is reached by racing, not by writing the word. The last thread to come sees the hang, not its cause.
//
// lockjaw: verdict=phantom-lock|hang-unknown threads=4 edition=2021
mod guard;

use parking_lot::RwLock;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

type Registry = Arc<RwLock<u64>>;

/// How often an update gives up and tries again before it insists.
const PATIENCE: u32 = 200;

fn look_up(registry: &Registry) -> u64 {
    let mut sum = 0;
    loop {
        let registry = registry.read(); // lockjaw: waits registry thread=reader-1,reader-2 mode=read
        sum = std::hint::black_box(sum ^ *registry);
    }
}

fn update(registry: &Registry) {
    let mut failures = 0;
    loop {
        if let Some(mut registry) = registry.try_write_for(Duration::from_micros(5)) {
            *registry += 1;
            failures = 0;
            continue;
        }
        failures += 1;
        if failures > PATIENCE {
            *registry.write() += 1; // lockjaw: waits registry thread=writer-1,writer-2 mode=write
            failures = 0;
        }
    }
}

fn main() {
    guard::begin();
    let registry: Registry = Arc::new(RwLock::new(0));
    let start = |name: &str, work: fn(&Registry)| {
        let registry = registry.clone();
        let work = move || work(&registry);
        thread::Builder::new().name(name.to_string()).spawn(work).expect("a thread could not be created")
    };
    let readers = ["reader-1", "reader-2"].map(|name| start(name, |registry| drop(look_up(registry))));
    let writers = ["writer-1", "writer-2"].map(|name| start(name, update));
    for thread in readers.into_iter().chain(writers) {
        let _ = thread.join();
    }
}
