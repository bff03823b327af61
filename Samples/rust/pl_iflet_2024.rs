// The control of pl_iflet: the same function under edition 2024, where the guard of an `if let` is dropped before
// `else`. The program ends.
//
// lockjaw: verdict=healthy|contention ends=exit edition=2024
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;

type Registry = Arc<RwLock<HashMap<String, u16>>>;

fn apply_record(registry: &Registry, name: &str, port: u16) {
    if let Some(known) = registry.read().get(name) {
        println!("{name} stays on port {known}");
    } else {
        registry.write().insert(name.to_string(), port);
    }
}

fn main() {
    let registry: Registry = Arc::new(RwLock::new(HashMap::from([("web".to_string(), 80)])));
    let theirs = registry.clone();
    let gossip = thread::Builder::new()
        .name("gossip".to_string())
        .spawn(move || {
            apply_record(&theirs, "web", 80);
            apply_record(&theirs, "api", 8080);
        })
        .expect("a thread could not be created");
    gossip.join().expect("the gossip thread panicked");
    assert_eq!(registry.read().get("api"), Some(&8080));
}
