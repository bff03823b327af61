// The router of std_abba with `parking_lot::Mutex` (0.12.1): two routes in opposite directions deadlock. Neither lock is
// recorded by anybody, and neither thread sleeps on a lock: each is parked on a word of its own.
//
// lockjaw: verdict=deadlock certainty=inferred threads=2 edition=2021
mod guard;

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};

type Queue = Arc<Mutex<VecDeque<String>>>;

fn forward(from: &Queue, to: &Queue, both_hold_one: &Barrier) {
    let mut source = from.lock(); // lockjaw: holds inbox,outbox thread=deliver,bounce
    both_hold_one.wait();
    let mut target = to.lock(); // lockjaw: waits outbox,inbox thread=deliver,bounce
    target.extend(source.drain(..));
}

fn start_route(name: &str, from: &Queue, to: &Queue, both_hold_one: &Arc<Barrier>) -> JoinHandle<()> {
    let (from, to, both_hold_one) = (from.clone(), to.clone(), both_hold_one.clone());
    thread::Builder::new()
        .name(name.to_string())
        .spawn(move || forward(&from, &to, &both_hold_one))
        .expect("a thread could not be created")
}

fn main() {
    guard::begin();
    let inbox: Queue = Arc::new(Mutex::new(VecDeque::from(["hello".to_string()])));
    let outbox: Queue = Arc::new(Mutex::new(VecDeque::new()));
    let both_hold_one = Arc::new(Barrier::new(2));
    let deliver = start_route("deliver", &inbox, &outbox, &both_hold_one);
    let bounce = start_route("bounce", &outbox, &inbox, &both_hold_one);
    for route in [deliver, bounce] {
        route.join().expect("a route panicked");
    }
}
