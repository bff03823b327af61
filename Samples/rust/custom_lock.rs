// A spin lock of the program's own, made of an atomic: nothing sees who has it, so it tells lockjaw, whose functions are
// looked up by name and are there only where the library is preloaded. Two ledgers are locked in opposite orders.
//
// lockjaw: verdict=deadlock certainty=inferred threads=2 edition=2021
mod guard;

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::Duration;

extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

type Told = unsafe extern "C" fn(*const c_void, c_int);

/// The library's part, as lockjaw.h declares it.
struct Lockjaw {
    wait_begin: Option<Told>,
    acquired: Option<Told>,
    releasing: Option<Told>,
    breadcrumb: Option<unsafe extern "C" fn(*const c_char)>,
}

fn lockjaw() -> &'static Lockjaw {
    static FOUND: OnceLock<Lockjaw> = OnceLock::new();
    FOUND.get_or_init(|| {
        // SAFETY: the names are of functions of these types, or of nothing; a null handle is RTLD_DEFAULT.
        unsafe {
            let find = |name: &[u8]| dlsym(std::ptr::null_mut(), name.as_ptr().cast());
            Lockjaw {
                wait_begin: std::mem::transmute(find(b"lockjaw_v1_wait_begin\0")),
                acquired: std::mem::transmute(find(b"lockjaw_v1_acquired\0")),
                releasing: std::mem::transmute(find(b"lockjaw_v1_releasing\0")),
                breadcrumb: std::mem::transmute(find(b"lockjaw_v1_breadcrumb\0")),
            }
        }
    })
}

unsafe extern "C" fn nobody(_: *const c_void, _: c_int) {}

struct Ledger {
    locked: AtomicBool,
}

impl Ledger {
    fn address(&self) -> *const c_void {
        self as *const Ledger as *const c_void
    }

    fn try_lock(&self) -> bool {
        !self.locked.swap(true, Ordering::Acquire)
    }

    #[inline(never)]
    fn lock(&self) {
        let (wait_begin, acquired) = (lockjaw().wait_begin.unwrap_or(nobody), lockjaw().acquired.unwrap_or(nobody));
        let hour = Duration::from_secs(3600);
        while !self.try_lock() {
            // SAFETY: the address only tells locks apart. Saying it again changes nothing; on one line, so that it is said
            // where the thread stands.
            unsafe { wait_begin(self.address(), 0) }; thread::park_timeout(hour); // lockjaw: waits debts,assets thread=import,export
        }
        unsafe { acquired(self.address(), 0) }; // lockjaw: holds assets,debts thread=import,export
        std::hint::black_box(self); // or the call would be a jump, and its address the caller's
    }

    fn unlock(&self) {
        if let Some(tell) = lockjaw().releasing { unsafe { tell(self.address(), 0) } }
        self.locked.store(false, Ordering::Release);
    }
}

fn book(from: &Ledger, to: &Ledger, both_hold_one: &Barrier) {
    if let Some(tell) = lockjaw().breadcrumb { unsafe { tell(b"booking 12\0".as_ptr().cast()) } }
    from.lock();
    both_hold_one.wait();
    to.lock();
    to.unlock();
    from.unlock();
}

fn main() {
    guard::begin();
    let assets = Arc::new(Ledger { locked: AtomicBool::new(false) });
    let debts = Arc::new(Ledger { locked: AtomicBool::new(false) });
    let both_hold_one = Arc::new(Barrier::new(2));
    for (name, from, to) in [("import", &assets, &debts), ("export", &debts, &assets)] {
        let (from, to, meeting) = (from.clone(), to.clone(), both_hold_one.clone());
        thread::Builder::new()
            .name(name.to_string())
            .spawn(move || book(&from, &to, &meeting))
            .expect("a thread could not be created");
    }
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
