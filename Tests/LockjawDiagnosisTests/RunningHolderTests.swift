import LockjawGraph
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis

/// A thread that computes with a lock of Rust's standard library in hand, in the very frame that has the guard.
@Suite("A holder that was stopped between two calls")
struct RunningHolderTests {
  private static let source = """
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::Mutex;
    static STOP: AtomicBool = AtomicBool::new(false);
    #[inline(never)]
    fn compute(lock: &Mutex<u64>) -> u64 {
        let mut guard = lock.lock().unwrap();
        println!("{:p}", lock);
        let mut x = *guard | 1;
        while !STOP.load(Relaxed) { x = x.wrapping_mul(6364136223846793005).rotate_left(7); }
        *guard = x;
        x
    }
    fn main() {
        let lock: &'static Mutex<u64> = Box::leak(Box::new(Mutex::new(7)));
        let named = |name: &str| std::thread::Builder::new().name(name.to_string());
        let keeper = named("keeper").spawn(move || compute(lock)).unwrap();
        while lock.try_lock().is_ok() { std::thread::yield_now(); }
        let waiter = named("waiter").spawn(move || *lock.lock().unwrap()).unwrap();
        println!("{}", keeper.join().unwrap() + waiter.join().unwrap());
    }
    """

  @Test("is not overlooked: its frames were not all asked, so the lock is no phantom, and the report says why")
  func noPhantom() throws {
    let program = try Program(.rust, name: "computing", flags: ["-O"], source: Self.source)
    let running = try RunningProgram(program)
    let lock = Address(UInt64(try running.readLine().dropFirst(2), radix: 16) ?? 0)
    let process = try LiveProcess(pid: running.pid)
    func tid(_ name: String) -> ThreadID? { process.threads.first { $0.name == name }?.tid }
    #expect(
      RunningProgram.wait {
        guard let waiter = tid("waiter"), case .futexWait(let word) = process.kernelState(of: waiter) else {
          return false
        }
        return word == lock
      })
    let keeper = try #require(tid("keeper"))
    let target = SnapshotTarget(running: try Snapshot.take(pid: running.pid, deadline: .seconds(10)), process: process)
    let examination = Examination(Examination.glance(target), arena: nil, target: target, stall: 0)
    let owners = try #require(examination.owners[lock])
    #expect(owners.owners == [])
    #expect(owners.account.unsearched == [keeper])
    #expect(owners.check.contains("thread \(keeper)"), "\(owners.check)")
    #expect(!examination.diagnosis.findings.contains { $0.kind == .phantomLock }, "\(examination.diagnosis.findings)")
  }
}
