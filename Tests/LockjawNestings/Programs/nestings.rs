// Threads that nest random guard patterns over a set of locks, and keep a table in memory of who holds what.
//
// Locks are taken in rising order, so nothing deadlocks. A thread's row is true while its phase is not 0: at a leaf (1)
// or in an acquire (2); everything in between, a guard's drop included, is a transition that nobody should score.
//
// Prints: `table ADDRESS ROWBYTES THREADS LOCKS`, a line `lock INDEX KIND ADDRESS` each, `ready`.
// Arguments: SEED THREADS.
use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

#[cfg(not(pl))]
mod locks {
    pub use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub const KINDS: [&str; 2] = ["rustMutex", "rustRwLock"];
    #[macro_export]
    macro_rules! got { ($e:expr) => { $e.unwrap() }; }
}
#[cfg(pl)]
mod locks {
    pub use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub const KINDS: [&str; 2] = ["parkingLotMutex", "parkingLotRwLock"];
    #[macro_export]
    macro_rules! got { ($e:expr) => { $e }; }
}
use locks::*;

const LOCKS: usize = 14; // even: mutex, odd: rwlock
const THREADS: usize = 128;
type Value = Vec<String>;

extern "C" {
    fn gettid() -> i32;
    fn alarm(seconds: u32) -> u32;
    fn poll(fds: *mut u8, count: u64, milliseconds: i32) -> i32;
    fn usleep(microseconds: u32) -> i32;
}

#[repr(C)]
struct Row {
    tid: AtomicU32,
    phase: AtomicU32,
    awaited: AtomicU32, // lock + 1
    awaited_mode: AtomicU32, // 1 exclusive, 2 read, 3 write
    holds: [AtomicU32; LOCKS], // mode
}

#[allow(clippy::declare_interior_mutable_const)]
const ZERO: AtomicU32 = AtomicU32::new(0);
#[allow(clippy::declare_interior_mutable_const)]
const EMPTY: Row = Row { tid: ZERO, phase: ZERO, awaited: ZERO, awaited_mode: ZERO, holds: [ZERO; LOCKS] };
static TABLE: [Row; THREADS] = [EMPTY; THREADS];

struct World {
    mutexes: Vec<Mutex<Value>>,
    rwlocks: Vec<RwLock<Value>>,
}

struct Context<'w> {
    world: &'w World,
    row: &'static Row,
    random: Cell<u64>,
}

impl Context<'_> {
    fn next(&self, below: u64) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        (x >> 11) % below
    }
    fn await_lock(&self, lock: usize, mode: u32) {
        self.row.awaited_mode.store(mode, SeqCst);
        self.row.awaited.store(lock as u32 + 1, SeqCst);
        self.row.phase.store(2, SeqCst);
    }
    fn acquired(&self, lock: usize, mode: u32) {
        self.row.phase.store(0, SeqCst);
        self.row.holds[lock].store(mode, SeqCst);
    }
    fn released(&self, lock: usize) {
        self.row.phase.store(0, SeqCst);
        self.row.holds[lock].store(0, SeqCst);
    }
}

enum Inner<'w> {
    Exclusive(MutexGuard<'w, Value>),
    Read(RwLockReadGuard<'w, Value>),
    Write(RwLockWriteGuard<'w, Value>),
}

/// A guard that strikes itself from the table when it goes; its fields go after that.
struct Noted<'c, 'w> {
    context: &'c Context<'w>,
    lock: usize,
    inner: Inner<'w>,
}

impl Noted<'_, '_> {
    fn len(&self) -> usize {
        match &self.inner {
            Inner::Exclusive(g) => g.len(),
            Inner::Read(g) => g.len(),
            Inner::Write(g) => g.len(),
        }
    }
}

impl Drop for Noted<'_, '_> {
    fn drop(&mut self) {
        self.context.released(self.lock);
    }
}

/// A bare guard's own strike-off: declared after the guard, so it goes before it.
struct Strike<'c, 'w>(&'c Context<'w>, usize);
impl Drop for Strike<'_, '_> {
    fn drop(&mut self) {
        self.0.released(self.1);
    }
}

fn acquire<'c, 'w>(c: &'c Context<'w>, lock: usize) -> Noted<'c, 'w> {
    let inner = if lock % 2 == 0 {
        c.await_lock(lock, 1);
        let guard = got!(c.world.mutexes[lock / 2].lock());
        c.acquired(lock, 1);
        Inner::Exclusive(guard)
    } else if c.next(3) > 0 {
        c.await_lock(lock, 2);
        let guard = got!(c.world.rwlocks[lock / 2].read());
        c.acquired(lock, 2);
        Inner::Read(guard)
    } else {
        c.await_lock(lock, 3);
        let guard = got!(c.world.rwlocks[lock / 2].write());
        c.acquired(lock, 3);
        Inner::Write(guard)
    };
    Noted { context: c, lock, inner }
}

struct Session<'c, 'w> {
    name: String,
    guard: Noted<'c, 'w>,
    log: Vec<u8>,
}

fn leaf(c: &Context) {
    let kind = c.next(6);
    let microseconds = 200 + c.next(2000);
    let (sender, receiver) = std::sync::mpsc::channel::<u8>();
    c.row.phase.store(1, SeqCst);
    match kind {
        0 => unsafe { poll(std::ptr::null_mut(), 0, 1 + (microseconds / 1000) as i32); },
        1 => unsafe { usleep(microseconds as u32); },
        2 => { let _ = receiver.recv_timeout(Duration::from_micros(microseconds)); }
        3 => std::thread::park_timeout(Duration::from_micros(microseconds)),
        _ => std::thread::sleep(Duration::from_micros(microseconds)),
    }
    c.row.phase.store(0, SeqCst);
    drop(sender);
}

#[inline(never)]
fn consume(c: &Context, guard: Noted, from: usize) -> usize {
    let n = guard.len();
    nest(c, from);
    n
}

#[inline(never)]
fn fallible(c: &Context, lock: usize) -> Result<usize, String> {
    let guard = acquire(c, lock);
    let text = deeper(c, lock + 1)?;
    Ok(guard.len() + text.len())
}

#[inline(never)]
fn deeper(c: &Context, from: usize) -> Result<String, String> {
    nest(c, from);
    if c.next(4) == 0 { Err("no".to_string()) } else { Ok("yes".to_string()) }
}

fn nest(c: &Context, from: usize) {
    let depth_left = LOCKS.saturating_sub(from) as u64;
    if depth_left == 0 || c.next(5) == 0 {
        return leaf(c);
    }
    let lock = from + c.next(depth_left.min(4)) as usize;
    let below = lock + 1;
    match c.next(18) {
        0 => {
            let _guard = acquire(c, lock);
            nest(c, below);
        }
        1 => match acquire(c, lock).len() {
            0 => nest(c, below),
            _ => leaf(c),
        },
        2 => {
            let guard = acquire(c, lock);
            consume(c, guard, below);
        }
        3 => {
            let session = Box::new(Session { name: "s".repeat(3), guard: acquire(c, lock), log: vec![1] });
            nest(c, below);
            assert!(session.name.len() + session.log.len() + session.guard.len() > 0);
        }
        4 => {
            let mut guards = vec![acquire(c, lock)];
            if below < LOCKS {
                guards.push(acquire(c, below));
            }
            nest(c, below + 1);
        }
        5 => {
            let maybe = if c.next(2) == 0 { Some(acquire(c, lock)) } else { None };
            nest(c, below);
            drop(maybe);
        }
        6 => {
            let session = Session { name: String::new(), guard: acquire(c, lock), log: Vec::new() };
            nest(c, below);
            drop(session.name);
            leaf(c);
        }
        7 => {
            let guard = acquire(c, lock);
            nest(c, below);
            drop(guard);
            nest(c, below);
        }
        8 => loop {
            let _guard = acquire(c, lock);
            nest(c, below);
            if c.next(2) == 0 {
                break;
            }
        },
        9 => {
            let guard = acquire(c, lock);
            let work: Box<dyn FnOnce() -> usize + '_> = Box::new(move || {
                nest(c, below);
                guard.len()
            });
            work();
        }
        10 => {
            let _guard = acquire(c, lock);
            let _ = catch_unwind(AssertUnwindSafe(|| nest(c, below)));
        }
        11 => {
            let _ = fallible(c, lock);
        }
        12 => {
            // A `for` over a temporary guard, without a wrapper.
            if lock % 2 == 0 {
                c.await_lock(lock, 1);
                for _text in got!(c.world.mutexes[lock / 2].lock()).iter() {
                    c.acquired(lock, 1);
                    nest(c, below);
                    c.released(lock);
                }
            } else {
                leaf(c)
            }
            c.released(lock);
        }
        13 => {
            // `if let` over a temporary read guard, `else` included.
            if lock % 2 == 1 {
                c.await_lock(lock, 2);
                if let Some(_text) = got!(c.world.rwlocks[lock / 2].read()).get(7) {
                    leaf(c);
                } else {
                    c.acquired(lock, 2);
                    nest(c, below);
                    c.released(lock);
                }
                c.released(lock);
            } else {
                leaf(c)
            }
        }
        14 => {
            // Bare guards, in two variables.
            if lock % 2 == 0 {
                c.await_lock(lock, 1);
                let guard = got!(c.world.mutexes[lock / 2].lock());
                c.acquired(lock, 1);
                let _strike = Strike(c, lock);
                nest(c, below);
                assert!(!guard.is_empty());
            } else {
                c.await_lock(lock, 3);
                let mut guard = got!(c.world.rwlocks[lock / 2].write());
                c.acquired(lock, 3);
                let _strike = Strike(c, lock);
                guard[0].push('x');
                nest(c, below);
                guard[0].pop();
            }
        }
        15 => {
            let mut maybe = Some(acquire(c, lock));
            nest(c, below);
            if let Some(guard) = maybe.take() {
                consume(c, guard, below);
            }
            leaf(c);
        }
        16 => {
            // Held by nobody's frame below: given back before.
            drop(acquire(c, lock));
            nest(c, below);
        }
        _ => {
            let a = acquire(c, lock);
            if below < LOCKS {
                let b = acquire(c, below);
                drop(a);
                nest(c, below + 1);
                drop(b);
            }
            leaf(c);
        }
    }
}

fn main() {
    unsafe { alarm(600) };
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<u64>().unwrap());
    let seed = arguments.next().unwrap_or(1);
    let threads = arguments.next().unwrap_or(8).min(THREADS as u64) as usize;
    let value = || vec!["one".to_string()];
    let world: &'static World = Box::leak(Box::new(World {
        mutexes: (0..LOCKS / 2).map(|_| Mutex::new(value())).collect(),
        rwlocks: (0..LOCKS / 2).map(|_| RwLock::new(value())).collect(),
    }));
    println!("table {:x} {} {} {}", TABLE.as_ptr() as usize, std::mem::size_of::<Row>(), threads, LOCKS);
    // The word itself, found by what an acquire changes: layouts are the compiler's business.
    for lock in 0..LOCKS {
        println!("lock {} {} {:x}", lock, KINDS[lock % 2], word_of(world, lock));
    }
    let handles: Vec<_> = (0..threads)
        .map(|index| {
            std::thread::spawn(move || {
                let row = &TABLE[index];
                row.tid.store(unsafe { gettid() } as u32, SeqCst);
                let random = Cell::new((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (index as u64 + 1) << 32);
                let context = Context { world, row, random };
                loop {
                    nest(&context, context.next(6) as usize);
                }
            })
        })
        .collect();
    println!("ready");
    for handle in handles {
        handle.join().unwrap();
    }
}

fn word_of(world: &World, lock: usize) -> usize {
    fn difference<T>(object: &T, hold: impl FnOnce(&dyn Fn() -> Vec<u8>) -> Vec<u8>) -> usize {
        let base = object as *const T as *const u8;
        let bytes = || (0..std::mem::size_of::<T>()).map(|i| unsafe { base.add(i).read_volatile() }).collect::<Vec<_>>();
        let free = bytes();
        let taken = hold(&bytes);
        let at = free.iter().zip(&taken).position(|(a, b)| a != b).unwrap();
        base as usize + at
    }
    if lock % 2 == 0 {
        let mutex = &world.mutexes[lock / 2];
        difference(mutex, |bytes| {
            let _guard = got!(mutex.lock());
            bytes()
        })
    } else {
        let rwlock = &world.rwlocks[lock / 2];
        difference(rwlock, |bytes| {
            let _guard = got!(rwlock.write());
            bytes()
        })
    }
}
