// The phantom lock: in parking_lot 0.12.1, a `try_write_for` that runs out of time just as the last reader leaves takes its
// bits back twice. The `RwLock`'s word becomes all ones: a writer, and readers without number, none of whom exists.
// Whoever comes now parks for good, and nobody is left to wake them.
//
// The state is reached by racing, not by writing the word: within a second or two of two processors' time.
//
// lockjaw: verdict=phantom-lock certainty=inferred threads=2 edition=2021
mod guard;

use parking_lot::RwLock;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

type Registry = Arc<RwLock<u64>>;

/// How often a thread tries before it insists. As long as the lock works, it does not come to that.
const PATIENCE: u32 = 1000;

/// Looks things up again and again, for up to fifteen microseconds: about as long as a writer tries.
fn look_up(registry: &Registry) {
    let mut random: u32 = 2463534242;
    let mut misses = 0;
    loop {
        let registry = match registry.try_read() {
            Some(registry) => registry,
            None if misses < PATIENCE => {
                misses += 1;
                continue;
            }
            None => registry.read(), // lockjaw: waits registry thread=reader mode=read
        };
        misses = 0;
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let stay = Duration::from_nanos(u64::from(random % 15_000));
        let came = Instant::now();
        while came.elapsed() < stay {
            std::hint::spin_loop();
        }
        std::hint::black_box(*registry);
    }
}

/// Updates it again and again, and would rather come back later than wait long for a reader.
fn update(registry: &Registry) {
    let mut misses = 0;
    loop {
        let mut registry = match registry.try_write_for(Duration::from_micros(1)) {
            Some(registry) => registry,
            None if misses < PATIENCE => {
                misses += 1;
                continue;
            }
            None => registry.write(), // lockjaw: waits registry thread=writer mode=write
        };
        misses = 0;
        *registry += 1;
    }
}

fn main() {
    guard::begin();
    let registry: Registry = Arc::new(RwLock::new(0));
    let work: [(&str, fn(&Registry)); 2] = [("reader", look_up), ("writer", update)];
    let threads = work.map(|(name, work)| {
        let registry = registry.clone();
        let body = move || work(&registry);
        thread::Builder::new().name(name.to_string()).spawn(body).expect("a thread could not be created")
    });
    for thread in threads {
        thread.join().expect("a thread panicked");
    }
}
