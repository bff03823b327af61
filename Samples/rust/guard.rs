// Ends a forgotten hanging sample after five minutes, unless LOCKJAW_SAMPLE_FOREVER is set.

extern "C" {
    fn alarm(seconds: u32) -> u32;
    fn pause() -> i32;
}

pub fn begin() {
    if std::env::var_os("LOCKJAW_SAMPLE_FOREVER").is_none() {
        // SAFETY: alarm(2) takes a number and touches no memory.
        unsafe { alarm(300) };
    }
}

/// A server's main thread: it does nothing until a signal ends the process.
#[allow(dead_code)]
pub fn serve() -> ! {
    loop {
        // SAFETY: pause(2) has no arguments and touches no memory.
        unsafe { pause() };
    }
}
