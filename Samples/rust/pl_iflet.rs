// The contagious deadlock as it happened: a `parking_lot::RwLock` (0.12.1), whose read guard lives through the `else`.
// The writer sleeps on a word of its own, not on the lock.
//
// lockjaw: verdict=self-deadlock certainty=inferred threads=1 edition=2021
mod guard;

use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

type Registry = Arc<RwLock<HashMap<String, u16>>>;

fn apply_record(registry: &Registry, name: &str, port: u16) {
    if let Some(known) = registry.read().get(name) { // lockjaw: holds registry thread=gossip mode=read
        println!("{name} stays on port {known}");
    } else {
        registry.write().insert(name.to_string(), port); // lockjaw: waits registry thread=gossip mode=write
    }
} // lockjaw: releases registry thread=gossip guard=RwLockReadGuard

fn main() {
    guard::begin();
    let registry: Registry = Arc::new(RwLock::new(HashMap::from([("web".to_string(), 80)])));
    let gossip = thread::Builder::new()
        .name("gossip".to_string())
        .spawn(move || {
            apply_record(&registry, "web", 80);
            apply_record(&registry, "api", 8080);
        })
        .expect("a thread could not be created");
    gossip.join().expect("the gossip thread panicked");
}
