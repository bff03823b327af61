extension WaitPrograms {
  static let rustStdSource = #"""
    use std::sync::mpsc;
    use std::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock};
    use std::thread;

    extern "C" {
        fn gettid() -> i32;
        fn alarm(seconds: u32) -> u32;
        fn pause() -> i32;
    }

    struct Shared {
        mutex: Mutex<u64>,
        read: RwLock<u64>,
        written: RwLock<u64>,
        once: Once,
        pair: (Mutex<bool>, Condvar),
    }

    fn start<F: FnOnce() + Send + 'static>(label: &'static str, kind: &'static str, address: usize, body: F) {
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            send.send(unsafe { gettid() }).unwrap();
            drop(send);
            body()
        });
        println!("{label} {kind} {address:x} {}", receive.recv().unwrap());
    }

    fn main() {
        unsafe { alarm(120) };
        let s: &'static Shared = Box::leak(Box::new(Shared {
            mutex: Mutex::new(0),
            read: RwLock::new(0),
            written: RwLock::new(0),
            once: Once::new(),
            pair: (Mutex::new(false), Condvar::new()),
        }));
        let _mutex = s.mutex.lock().unwrap();
        let _readers = (s.read.read().unwrap(), s.read.read().unwrap());
        let _writer = s.written.write().unwrap();
        start("mutex", "mutex exclusive", &s.mutex as *const _ as usize, move || *s.mutex.lock().unwrap() += 1);
        start("write", "rwlock write", &s.read as *const _ as usize, move || *s.read.write().unwrap() += 1);
        start("read", "rwlock read", &s.written as *const _ as usize, move || println!("{}", s.written.read().unwrap()));
        start("condition", "condition signal", &s.pair.1 as *const _ as usize, move || {
            let mut ready = s.pair.0.lock().unwrap();
            while !*ready {
                ready = s.pair.1.wait(ready).unwrap();
            }
        });
        let running = Arc::new(Barrier::new(2));
        let here = running.clone();
        thread::spawn(move || {
            s.once.call_once(|| {
                here.wait();
                loop {
                    unsafe { pause() };
                }
            })
        });
        running.wait();
        start("once", "once exclusive", &s.once as *const _ as usize, move || s.once.call_once(|| ()));
        start("park", "futex signal", 0, || loop {
            thread::park()
        });
        let (sender, receiver) = mpsc::channel::<u32>();
        std::mem::forget(sender);
        start("receive", "futex signal", 0, move || println!("{:?}", receiver.recv()));
        start("scope", "futex signal", 0, || {
            thread::scope(|scope| {
                scope.spawn(|| loop {
                    unsafe { pause() };
                });
            })
        });
        println!("end");
        loop {
            unsafe { pause() };
        }
    }
    """#

  static let parkingLotSource = #"""
    use parking_lot::{Condvar, Mutex, Once, RwLock, RwLockUpgradableReadGuard};
    use std::sync::{mpsc, Arc, Barrier};
    use std::thread;
    use std::time::Duration;

    extern "C" {
        fn gettid() -> i32;
        fn alarm(seconds: u32) -> u32;
        fn pause() -> i32;
    }

    struct Shared {
        first: Mutex<u8>,
        mutex: Mutex<u8>,
        read: RwLock<u64>,
        written: RwLock<u64>,
        upgradable: RwLock<u64>,
        upgrade: RwLock<u64>,
        timed: RwLock<u64>,
        once: Once,
        pair: (Mutex<bool>, Condvar),
    }

    fn start<F: FnOnce() + Send + 'static>(label: &'static str, kind: &'static str, address: usize, body: F) {
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            send.send(unsafe { gettid() }).unwrap();
            drop(send);
            body()
        });
        println!("{label} {kind} {address:x} {}", receive.recv().unwrap());
    }

    fn main() {
        unsafe { alarm(120) };
        let s: &'static Shared = Box::leak(Box::new(Shared {
            first: Mutex::new(1),
            mutex: Mutex::new(0),
            read: RwLock::new(0),
            written: RwLock::new(0),
            upgradable: RwLock::new(0),
            upgrade: RwLock::new(0),
            timed: RwLock::new(0),
            once: Once::new(),
            pair: (Mutex::new(false), Condvar::new()),
        }));
        let _locked = (s.first.lock(), s.mutex.lock());
        let _readers = (s.read.read(), s.read.read());
        let _writer = s.written.write();
        let _upgradable = s.upgradable.upgradable_read();
        let _reader = s.upgrade.read();
        let _timed = s.timed.write();
        start("first", "mutex exclusive", &s.first as *const _ as usize, move || *s.first.lock() += 1);
        start("mutex", "mutex exclusive", &s.mutex as *const _ as usize, move || *s.mutex.lock() += 1);
        start("write", "rwlock write", &s.read as *const _ as usize, move || *s.read.write() += 1);
        start("read", "rwlock read", &s.written as *const _ as usize, move || println!("{}", s.written.read()));
        start("second-write", "rwlock write", &s.written as *const _ as usize, move || *s.written.write() += 1);
        start("upgradable", "rwlock read", &s.upgradable as *const _ as usize, move || {
            println!("{}", s.upgradable.upgradable_read())
        });
        start("upgrade", "rwlock write", &s.upgrade as *const _ as usize, move || {
            let guard = s.upgrade.upgradable_read();
            *RwLockUpgradableReadGuard::upgrade(guard) += 1;
        });
        start("timed", "rwlock write", &s.timed as *const _ as usize, move || {
            println!("{}", s.timed.try_write_for(Duration::from_secs(100)).is_some())
        });
        start("condition", "condition signal", &s.pair.1 as *const _ as usize, move || {
            let mut ready = s.pair.0.lock();
            while !*ready {
                s.pair.1.wait(&mut ready);
            }
        });
        let running = Arc::new(Barrier::new(2));
        let here = running.clone();
        thread::spawn(move || {
            s.once.call_once(|| {
                here.wait();
                loop {
                    unsafe { pause() };
                }
            })
        });
        running.wait();
        start("once", "once exclusive", &s.once as *const _ as usize, move || s.once.call_once(|| ()));
        println!("end");
        loop {
            unsafe { pause() };
        }
    }
    """#
}
