// Ends a forgotten hanging sample after five minutes, unless LOCKJAW_SAMPLE_FOREVER is set; and, where
// LOCKJAW_SAMPLE_GATE names a FIFO, holds it back until somebody opens that for writing: who wants to see a program before it
// hangs needs it to wait.

extern "C" {
    fn alarm(seconds: u32) -> u32;
}

pub fn begin() {
    if std::env::var_os("LOCKJAW_SAMPLE_FOREVER").is_none() {
        // SAFETY: alarm(2) takes a number and touches no memory.
        unsafe { alarm(300) };
    }
    if let Some(gate) = std::env::var_os("LOCKJAW_SAMPLE_GATE") {
        std::fs::read(gate).expect("the gate cannot be read");
    }
}
