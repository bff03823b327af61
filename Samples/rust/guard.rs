// Ends a forgotten hanging sample after five minutes, unless LOCKJAW_SAMPLE_FOREVER is set.

extern "C" {
    fn alarm(seconds: u32) -> u32;
}

pub fn begin() {
    if std::env::var_os("LOCKJAW_SAMPLE_FOREVER").is_none() {
        // SAFETY: alarm(2) takes a number and touches no memory.
        unsafe { alarm(300) };
    }
}
