// One thread for each way a guard can be kept, all asleep for good.
//
// Prints, for each lock: `holds THREAD KIND ADDRESS MODE FUNCTION`: that thread's FUNCTION holds it (MODE `none`: the lock
// is taken, and no frame owns the hold); `awaits THREAD ADDRESS MODE` for what a thread is blocked in (`reacquires`: at the end of a condition's
// wait); then `ready`.
use std::cell::RefCell;
use std::future::Future;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{channel, Receiver};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

#[cfg(not(pl))]
mod locks {
    pub use std::sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};
    pub const KINDS: [&str; 2] = ["rustMutex", "rustRwLock"];
    #[macro_export]
    macro_rules! got { ($e:expr) => { $e.unwrap() }; }
    #[macro_export]
    macro_rules! wait { ($c:expr, $g:ident) => { $g = $c.wait($g).unwrap() }; }
}
#[cfg(pl)]
mod locks {
    pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};
    pub const KINDS: [&str; 2] = ["parkingLotMutex", "parkingLotRwLock"];
    #[macro_export]
    macro_rules! got { ($e:expr) => { $e }; }
    #[macro_export]
    macro_rules! wait { ($c:expr, $g:ident) => { $c.wait(&mut $g) }; }
}
use locks::*;

type Value = Vec<String>;
type M = Mutex<Value>;
type R = RwLock<Value>;

static STARTED: AtomicUsize = AtomicUsize::new(0);

extern "C" {
    fn alarm(seconds: u32) -> u32;
    fn pause() -> i32;
}

fn value() -> Value {
    vec!["one".to_string(), "two".to_string()]
}

/// Sleeps for good, in a call that has a landing pad.
#[inline(never)]
fn never(receiver: &Receiver<u8>) -> usize {
    STARTED.fetch_add(1, SeqCst);
    receiver.recv().map(|byte| byte as usize).unwrap_or(7)
}

/// In one that has none.
#[inline(never)]
fn never_in_c() -> usize {
    STARTED.fetch_add(1, SeqCst);
    unsafe { pause() as usize }
}

fn word<T>(object: &T, hold: impl FnOnce(&dyn Fn() -> Vec<u8>) -> Vec<u8>) -> usize {
    let base = object as *const T as *const u8;
    let bytes = || (0..std::mem::size_of::<T>()).map(|i| unsafe { base.add(i).read_volatile() }).collect::<Vec<_>>();
    let (free, taken) = (bytes(), hold(&bytes));
    base as usize + free.iter().zip(&taken).position(|(a, b)| a != b).unwrap()
}

fn mutex(thread: &str, mode: &str, function: &str) -> &'static M {
    let lock: &'static M = Box::leak(Box::new(Mutex::new(value())));
    let at = word(lock, |bytes| { let _guard = got!(lock.lock()); bytes() });
    println!("holds {thread} {} {at:x} {mode} {function}", KINDS[0]);
    lock
}

fn rwlock(thread: &str, mode: &str, function: &str) -> (&'static R, usize) {
    let lock: &'static R = Box::leak(Box::new(RwLock::new(value())));
    let at = word(lock, |bytes| { let _guard = got!(lock.write()); bytes() });
    println!("holds {thread} {} {at:x} {mode} {function}", KINDS[1]);
    (lock, at)
}

struct Session {
    name: String,
    guard: MutexGuard<'static, Value>,
}

#[inline(never)]
fn if_let(lock: &R) {
    if let Some(text) = got!(lock.read()).get(9) {
        println!("{text}");
    } else {
        STARTED.fetch_add(1, SeqCst);
        got!(lock.write()).push("three".to_string());
    }
}
#[inline(never)]
fn plain(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let guard = got!(lock.lock());
    never(never_comes) + guard.len()
}
#[inline(never)]
fn plain_in_c(lock: &M) -> usize {
    let guard = got!(lock.lock());
    never_in_c() + guard.len()
}
#[inline(never)]
fn outer_reader(lock: &R, never_comes: &Receiver<u8>) -> usize {
    let guard = got!(lock.read());
    middle(never_comes) + guard.len()
}
#[inline(never)]
fn middle(never_comes: &Receiver<u8>) -> usize {
    let text = "x".repeat(never_comes as *const _ as usize % 3);
    never(never_comes) + text.len()
}
#[inline(never)]
fn boxed(lock: &'static M, never_comes: &Receiver<u8>) -> usize {
    let session = Box::new(Session { name: "session".to_string(), guard: got!(lock.lock()) });
    never(never_comes) + session.name.len() + session.guard.len()
}
#[inline(never)]
fn vector(lock: &'static M, never_comes: &Receiver<u8>) -> usize {
    let guards = vec![got!(lock.lock())];
    never(never_comes) + guards.len()
}
#[inline(never)]
fn option(lock: &'static M, never_comes: &Receiver<u8>, yes: bool) -> usize {
    let guard = if yes { Some(got!(lock.lock())) } else { None };
    never(never_comes) + guard.map_or(0, |g| g.len())
}
#[inline(never)]
fn moved_into(guard: MutexGuard<Value>, never_comes: &Receiver<u8>) -> usize {
    never(never_comes) + guard.len()
}
#[inline(never)]
fn moves(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let guard = got!(lock.lock());
    moved_into(guard, never_comes) + 1
}
#[inline(never)]
fn for_temporary(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let mut n = 0;
    for text in got!(lock.lock()).iter() {
        n += text.len() + never(never_comes);
    }
    n
}
#[inline(never)]
fn match_temporary(lock: &M, never_comes: &Receiver<u8>) -> usize {
    match got!(lock.lock()).len() {
        0 => 1,
        n => n + never(never_comes),
    }
}
#[inline(never)]
fn question(lock: &M, never_comes: &Receiver<u8>) -> Result<usize, String> {
    let guard = got!(lock.lock());
    let n = fallible(never_comes)?;
    Ok(n + guard.len())
}
#[inline(never)]
fn fallible(never_comes: &Receiver<u8>) -> Result<usize, String> {
    match never(never_comes) {
        3 => Err("three".to_string()),
        n => Ok(n),
    }
}
#[inline(never)]
fn catches(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let guard = got!(lock.lock());
    let n = catch_unwind(AssertUnwindSafe(|| never(never_comes))).unwrap_or(0);
    n + guard.len()
}
#[inline(never)]
fn loops_with_exit(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let guard = got!(lock.lock());
    loop {
        if never(never_comes) == 0 {
            break guard.len();
        }
    }
}
#[inline(never)]
fn loops_for_ever(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let _guard = got!(lock.lock());
    loop {
        never(never_comes);
    }
}
#[inline(never)]
fn closure(lock: &'static M, never_comes: &'static Receiver<u8>) -> Box<dyn FnOnce() -> usize> {
    let guard = got!(lock.lock());
    Box::new(move || never(never_comes) + guard.len())
}
#[inline(never)]
fn forgets(lock: &R, never_comes: &Receiver<u8>) -> usize {
    std::mem::forget(got!(lock.read()));
    never(never_comes)
}
#[inline(never)]
fn had_it_before(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let n = got!(lock.lock()).len();
    n + never(never_comes)
}
#[inline(never)]
fn will_have_it(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let n = never(never_comes);
    n + got!(lock.lock()).len()
}
#[inline(never)]
fn self_deadlock_outer(lock: &M) -> usize {
    let guard = got!(lock.lock());
    self_deadlock_inner(lock) + guard.len()
}
#[inline(never)]
fn self_deadlock_inner(lock: &M) -> usize {
    STARTED.fetch_add(1, SeqCst);
    got!(lock.lock()).len()
}
thread_local! { static KEPT: RefCell<Option<RwLockReadGuard<'static, Value>>> = const { RefCell::new(None) }; }
#[inline(never)]
fn thread_local_guard(lock: &'static R, never_comes: &Receiver<u8>) -> usize {
    KEPT.with(|kept| *kept.borrow_mut() = Some(got!(lock.read())));
    never(never_comes)
}

#[inline(never)]
fn scoped(lock: &M, never_comes: &Receiver<u8>) -> usize {
    let guard = got!(lock.lock());
    let n = std::thread::scope(|scope| {
        scope.spawn(|| 1);
        never(never_comes)
    });
    n + guard.len()
}

/// A task that keeps a guard over its waits.
async fn task(lock: &'static M, waits: bool, never_comes: &'static Receiver<u8>) -> usize {
    let guard = got!(lock.lock());
    if waits {
        std::future::pending::<()>().await;
    }
    never(never_comes) + guard.len()
}
struct Idle;
impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}
fn poll_once(task: &mut Task) {
    let waker = Waker::from(Arc::new(Idle));
    let _ = task.as_mut().poll(&mut Context::from_waker(&waker));
}
type Task = Pin<Box<dyn Future<Output = usize>>>;
#[inline(never)]
fn polls(lock: &'static M, never_comes: &'static Receiver<u8>) -> usize {
    let mut task: Task = Box::pin(task(lock, false, never_comes));
    poll_once(&mut task);
    1
}
#[inline(never)]
fn keeps_task(lock: &'static M, never_comes: &'static Receiver<u8>) -> usize {
    let mut task: Task = Box::pin(task(lock, true, never_comes));
    poll_once(&mut task);
    let n = never(never_comes);
    drop(task);
    n
}
/// As a scheduler does: the suspended task lies in memory that belongs to no frame.
#[inline(never)]
fn suspends(lock: &'static M, never_comes: &'static Receiver<u8>) -> usize {
    let mut task: Task = Box::pin(task(lock, true, never_comes));
    poll_once(&mut task);
    std::mem::forget(task);
    never(never_comes)
}

#[cfg(tokio)]
#[inline(never)]
fn runs_in_tokio(lock: &'static M, never_comes: &'static Receiver<u8>) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(task(lock, false, never_comes))
}
#[cfg(tokio)]
#[inline(never)]
fn waits_in_tokio(lock: &'static M, never_comes: &'static Receiver<u8>) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.spawn_local(task(lock, true, never_comes));
    runtime.block_on(local.run_until(async {
        tokio::task::yield_now().await;
        STARTED.fetch_add(1, SeqCst);
        std::future::pending::<usize>().await
    }))
}

/// Waits for a condition; woken, it waits for the mutex, which another has.
#[inline(never)]
fn waits_again(lock: &M, condition: &Condvar) -> usize {
    let mut guard = got!(lock.lock());
    WAITS.store(1, SeqCst);
    STARTED.fetch_add(1, SeqCst);
    while guard.len() < 5 {
        wait!(condition, guard);
    }
    guard.len()
}
static WAITS: AtomicUsize = AtomicUsize::new(0);
#[inline(never)]
fn notifies(lock: &M, condition: &Condvar, never_comes: &Receiver<u8>) -> usize {
    while WAITS.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    let guard = got!(lock.lock());
    condition.notify_all();
    never(never_comes) + guard.len()
}

fn start(name: &str, body: impl FnOnce(&'static Receiver<u8>) -> usize + Send + 'static) -> usize {
    std::thread::Builder::new()
        .name(name.to_string())
        .spawn(move || {
            let (sender, receiver) = channel::<u8>();
            std::mem::forget(sender);
            body(Box::leak(Box::new(receiver)))
        })
        .unwrap();
    1
}

fn main() {
    unsafe { alarm(300) };
    let mut n = 0;
    let (l, at) = rwlock("iflet", "read", "if_let");
    println!("awaits iflet {at:x} write");
    n += start("iflet", move |_| { if_let(l); 0 });
    let l = mutex("plain", "exclusive", "plain");
    n += start("plain", move |r| plain(l, r));
    let l = mutex("plain_c", "exclusive", "plain_in_c");
    n += start("plain_c", move |_| plain_in_c(l));
    let (l, _) = rwlock("outer", "read", "outer_reader");
    n += start("outer", move |r| outer_reader(l, r));
    let l = mutex("boxed", "exclusive", "boxed");
    n += start("boxed", move |r| boxed(l, r));
    let l = mutex("vector", "exclusive", "vector");
    n += start("vector", move |r| vector(l, r));
    let l = mutex("some", "exclusive", "option");
    n += start("some", move |r| option(l, r, true));
    let free: &'static M = Box::leak(Box::new(Mutex::new(value())));
    n += start("none", move |r| option(free, r, false));
    let l = mutex("moves", "exclusive", "moved_into");
    n += start("moves", move |r| moves(l, r));
    let l = mutex("for", "exclusive", "for_temporary");
    n += start("for", move |r| for_temporary(l, r));
    let l = mutex("match", "exclusive", "match_temporary");
    n += start("match", move |r| match_temporary(l, r));
    let l = mutex("question", "exclusive", "question");
    n += start("question", move |r| question(l, r).unwrap_or(0));
    let l = mutex("catches", "exclusive", "catches");
    n += start("catches", move |r| catches(l, r));
    let l = mutex("loop_exit", "exclusive", "loops_with_exit");
    n += start("loop_exit", move |r| loops_with_exit(l, r));
    let l = mutex("loop_ever", "exclusive", "loops_for_ever");
    n += start("loop_ever", move |r| loops_for_ever(l, r));
    let l = mutex("closure", "exclusive", "closure");
    n += start("closure", move |r| closure(l, r)());
    let (l, _) = rwlock("forgets", "none", "-");
    n += start("forgets", move |r| forgets(l, r));
    let (l, _) = rwlock("keeps", "kept", "-");
    n += start("keeps", move |r| thread_local_guard(l, r));
    let l = mutex("self", "exclusive", "self_deadlock_outer");
    let at = word(l, |bytes| { let _guard = got!(l.lock()); bytes() });
    println!("awaits self {at:x} exclusive");
    n += start("self", move |_| self_deadlock_outer(l));
    let l: &'static M = Box::leak(Box::new(Mutex::new(value())));
    n += start("before", move |r| had_it_before(l, r));
    n += start("after", move |r| will_have_it(l, r));
    let l = mutex("scoped", "exclusive", "scoped");
    n += start("scoped", move |r| scoped(l, r));
    let l = mutex("polls", "exclusive", "task");
    n += start("polls", move |r| polls(l, r));
    let l = mutex("keeps_task", "exclusive", "keeps_task");
    n += start("keeps_task", move |r| keeps_task(l, r));
    let l = mutex("suspends", "none", "-");
    n += start("suspends", move |r| suspends(l, r));
    let l = mutex("notifies", "exclusive", "notifies");
    let at = word(l, |bytes| { let _guard = got!(l.lock()); bytes() });
    println!("reacquires again {at:x} exclusive");
    let condition: &'static Condvar = Box::leak(Box::new(Condvar::new()));
    n += start("again", move |_| waits_again(l, condition));
    n += start("notifies", move |r| notifies(l, condition, r));
    #[cfg(tokio)]
    {
        // Inside a task; and a scheduler that has only a task that waits, and drops it when it is dropped itself.
        let l = mutex("t_runs", "exclusive", "runs_in_tokio");
        n += start("t_runs", move |r| runs_in_tokio(l, r));
        let l = mutex("t_waits", "exclusive", "waits_in_tokio");
        n += start("t_waits", move |r| waits_in_tokio(l, r));
    }
    while STARTED.load(SeqCst) < n {
        std::thread::yield_now();
    }
    println!("ready");
    unsafe { pause() };
}
