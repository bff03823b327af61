import Glibc
import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

/// A parking_lot deadlock, with guards that have names: its report climbs every rung of the ladder.
private let parkedCycle = """
  use parking_lot::Mutex;
  use std::sync::{Arc, Barrier};
  fn transfer(from: &Mutex<Vec<u8>>, to: &Mutex<Vec<u8>>, both_hold_one: &Barrier) {
    let mut source = from.lock();
    both_hold_one.wait();
    let mut target = to.lock();
    target.append(&mut source);
  }
  fn main() {
    let accounts = Arc::new([Mutex::new(vec![1]), Mutex::new(vec![2])]);
    let both = Arc::new(Barrier::new(2));
    let threads: Vec<_> = (0..2).map(|i| {
      let (accounts, both) = (accounts.clone(), both.clone());
      std::thread::spawn(move || transfer(&accounts[i], &accounts[1 - i], &both))
    }).collect();
    println!("started");
    for thread in threads { thread.join().unwrap(); }
  }
  """

/// A mutex deadlock, to be preloaded: its core has an arena.
private let recordedCycle = """
  #include <pthread.h>
  #include <stdio.h>
  static pthread_mutex_t accounts[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
  static pthread_barrier_t both_hold_one;
  static void *transfer(void *x) {
    long from = (long)x;
    pthread_mutex_lock(&accounts[from]);
    pthread_barrier_wait(&both_hold_one);
    pthread_mutex_lock(&accounts[1 - from]);
    return 0;
  }
  int main(void) {
    pthread_t threads[2];
    pthread_barrier_init(&both_hold_one, NULL, 2);
    for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, transfer, (void *)i);
    puts("started");
    fflush(stdout);
    pthread_join(threads[0], NULL);
  }
  """

/// From the core's bytes to the report's: decoders, unwinder, holder search, guard variables, arena, text and JSON, in this
/// process, so that a crash anywhere is seen. Most damage is where it gets far: in stacks, words and the arena, less often in
/// the headers, which `HostileCoreTests` does.
@Suite("Reports on damaged cores")
struct DamagedCoreReportTests {

  private static let rounds = 100
  /// Of this thread's time on a processor, so that a busy machine does not count. A whole report takes a hundredth of it.
  private static let longestRound = Duration.seconds(20)

  /// The preloaded library of this build stands beside the test runner.
  private static let shim: String = {
    var path = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = path.withUnsafeMutableBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) {
        $0.baseAddress.map { readlink("/proc/self/exe", $0, Int(PATH_MAX)) } ?? 0
      }
    }
    let runner = String(decoding: path.prefix(max(0, count)), as: UTF8.self)
    return runner.prefix(upTo: runner.lastIndex(of: "/") ?? runner.startIndex) + "/liblockjaw_preload.so"
  }()

  @Test("Whatever stands in a core of parking_lot's locks, a report is made of it, or a sentence, in bounded time")
  func inlinedLocks() throws {
    let program = try Program(
      cargo: "parked", dependency: "parking_lot = \"0.12\"", optimisation: 1, source: parkedCycle)
    try damage(minicore(program, environment: [:]), seed: 21, in: program.directory)
  }

  @Test("Whatever stands in a core that has an arena, a report is made of it, or a sentence, in bounded time")
  func arena() throws {
    let program = try Program(.c, name: "recorded", source: recordedCycle)
    let environment = ["LD_PRELOAD": Self.shim, "LOCKJAW_DIR": program.directory.path + "/arenas"]
    try damage(minicore(program, environment: environment, hasArena: true), seed: 4, in: program.directory)
  }

  // MARK: damage

  private func damage(_ whole: [UInt8], seed: UInt64, in directory: TemporaryDirectory) throws {
    var random = SplitMix(seed: seed)
    var (reports, deadlocks) = (0, 0)
    for round in 0..<Self.rounds {
      let path = directory.path + "/damaged"
      try store(damaged(whole, &random), at: path)
      let begin = Self.processorTime()
      do {
        let report = try report(path)
        reports += 1
        if report.verdict == .deadlock { deadlocks += 1 }
        // What is shown and what is written is made of the same bytes.
        #expect(!TextReport.render(report).isEmpty && !ReportDocument.encode(report).isEmpty)
      } catch let error as InspectError {
        #expect(error.description.hasSuffix("."))
      }
      let took = Self.processorTime() - begin
      #expect(took < Self.longestRound, "round \(round) of seed \(seed) took \(took)")
    }
    // Neither was everything refused at the door, nor was nothing of it noticed.
    #expect(reports > Self.rounds / 2, "\(reports) reports")
    #expect(deadlocks > 0 && deadlocks < reports, "\(deadlocks) of \(reports) reports")
  }

  /// Few or many words changed: at random, to numbers at the edges, or to what stands elsewhere, which may be a pointer that
  /// leads somewhere.
  private func damaged(_ whole: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    var bytes = whole
    let edges: [UInt64] = [0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 63, .max, .max - 7, 4096]
    let headers = min(bytes.count, 8192)
    func put(_ value: UInt64, _ at: Int) {
      for index in 0..<8 { bytes[at + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
    }
    for _ in 0..<1 << Int.random(in: 0..<10, using: &random) {
      let isInHeaders = Int.random(in: 0..<64, using: &random) == 0
      let at = Int.random(in: 0..<(isInHeaders ? headers : bytes.count) / 8 - 1, using: &random) * 8
      let other = Int.random(in: 0..<bytes.count / 8 - 1, using: &random) * 8
      switch Int.random(in: 0..<4, using: &random) {
      case 0: bytes[at + Int.random(in: 0..<8, using: &random)] = UInt8.random(in: 0...255, using: &random)
      case 1: put(edges[Int.random(in: 0..<edges.count, using: &random)], at)
      case 2: bytes.replaceSubrange(at..<at + 8, with: bytes[other..<other + 8])
      default: put(random.next(), at)
      }
    }
    return bytes
  }

  private static func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  // MARK: cores

  /// The minicore of a program whose cycle is closed, as `lockjaw dump` writes it.
  private func minicore(
    _ program: Program, environment: [String: String], hasArena: Bool = false
  ) throws -> [UInt8] {
    let running = try RunningProgram(program, environment: environment)
    defer { running.kill() }
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    let path = program.directory.path + "/whole"
    // Its threads are still on their way when it says that they have started.
    let isFound = RunningProgram.wait {
      (try? Dump(process, to: path)) != nil && (try? report(path).verdict) == .deadlock
    }
    try #require(isFound, "no deadlock in the undamaged core")
    try #require((CoreArena.find(try CoreFile(path: path)) != nil) == hasArena)
    return try contents(path)
  }

  private func contents(_ path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    defer { close(file) }
    var status = stat()
    try #require(fstat(file, &status) == 0)
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    try #require(read(file, &bytes, bytes.count) == bytes.count)
    return bytes
  }

  private func store(_ bytes: [UInt8], at path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    defer { close(file) }
    try #require(write(file, bytes, bytes.count) == bytes.count)
  }

  /// What `lockjaw analyze` does with a core.
  private func report(_ path: String) throws -> Report {
    let core = try CoreFile(path: path)
    return SingleReport(stall: 0, wantsAllStacks: true).of(core, arena: CoreArena.find(core))
  }
}
