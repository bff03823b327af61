import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

/// A thread that writes down its registers before it sleeps needs no stop to be unwound.
@Suite("Unwinding from a wait context")
struct WaitContextTests {
  /// `interposer` stands where the shim's function does: its frame stays while the wait lasts.
  private static let source = """
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    struct context { unsigned long ip, sp, bp, bx, r12, r13, r14, r15; } context;
    static int ends[2];
    __attribute__((noinline)) static int interposer(int fd) {
      char c;
      __asm__ volatile("lea 0(%%rip), %%rax\\n mov %%rax, 0(%0)\\n mov %%rsp, 8(%0)\\n mov %%rbp, 16(%0)\\n mov %%rbx, 24(%0)\\n"
                       "mov %%r12, 32(%0)\\n mov %%r13, 40(%0)\\n mov %%r14, 48(%0)\\n mov %%r15, 56(%0)"
                       : : "r"(&context) : "rax", "memory");
      return (int)read(fd, &c, 1); // LINE: wait
    }
    __attribute__((noinline)) static int transfer(int depth) {
      if (depth) return transfer(depth - 1) + 1; // LINE: recursion
      return interposer(ends[0]) + 1; // LINE: call
    }
    static void *body(void *x) {
      pthread_setname_np(pthread_self(), "waiter");
      return transfer(3) ? x : NULL; // LINE: body
    }
    int main(void) {
      pthread_t t;
      pipe(ends);
      printf("%p\\n", (void *)&context);
      pthread_create(&t, NULL, body, NULL);
      puts("ready"); fflush(stdout);
      pthread_join(t, NULL);
    }
    """

  private struct Waiting {
    var program: Program
    var running: RunningProgram
    var process: LiveProcess
    var wait: Wait
    var expected: [Address]
  }

  /// The stack by a snapshot, from the interposer's caller outwards, is what the wait context must lead to.
  private func start(_ optimisation: String) throws -> Waiting {
    let program = try Program(
      .c, name: "waiting", flags: ["-g", optimisation, "-fno-optimize-sibling-calls"], source: Self.source)
    let running = try RunningProgram(program)
    let address = Address(try #require(UInt64(try running.readLine().dropFirst(2), radix: 16)))
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    var reader: ThreadID?
    #expect(
      RunningProgram.wait {
        reader = process.threads.first { process.kernelState(of: $0.tid) == .systemCall(number: 0, name: "read") }?.tid
        return reader != nil
      })
    let memory = ProcessMemory(process)
    let words = try (0..<8).map { try #require(memory.load(UInt64.self, at: Address(address.rawValue + 8 * $0))) }
    var wait = Wait(
      sequence: 1, type: .mutex, mode: .exclusive, object: Address(1), site: CallSite(address: Address(2)),
      since: Instant(nanoseconds: 3))
    wait.context = WaitContext(
      ip: words[0], sp: words[1], bp: words[2], bx: words[3], r12: words[4], r13: words[5], r14: words[6], r15: words[7]
    )
    wait.stackTop = try #require(memory.bytes(at: Address(words[1]), count: 2048))
    let snapshot = try Snapshot.take(pid: running.pid)
    let unwinder = StackUnwinder(modules: snapshot.modules, files: ModuleFiles(root: .process(process)))
    let registers = try #require(reader.flatMap { snapshot.thread($0)?.registers })
    let expected = unwinder.unwind(registers, memory: snapshot.memory).frames.map(\.pc)
    return Waiting(program: program, running: running, process: process, wait: wait, expected: expected)
  }

  @Test("It leads to the same callers as a stop would, from the live stack", arguments: ["-O0", "-O2"])
  func live(optimisation: String) throws {
    let waiting = try start(optimisation)
    let modules = try waiting.process.modules()
    let files = ModuleFiles(root: .process(waiting.process))
    let unwinder = StackUnwinder(modules: modules, files: files)
    let found = unwinder.unwind(Registers(waiting.wait.context), memory: ProcessMemory(waiting.process))
    #expect(found.end == .reachedOutermost)
    #expect(!found.frames[0].isReturnAddress)
    // The snapshot's innermost frames are read() and the interposer itself, further on.
    #expect(Array(found.frames.dropFirst().map(\.pc)) == Array(waiting.expected.dropFirst(2)))
    let frames = Symbolizer(modules: modules, files: files).frames(of: found)
    let line = { (marker: String) in String(waiting.program.line(marker) ?? -1) }
    #expect(
      Array(frames.outline.dropFirst()) == [
        "transfer:\(line("call"))", "transfer:\(line("recursion"))", "transfer:\(line("recursion"))",
        "transfer:\(line("recursion"))", "body:\(line("body"))",
      ])
  }

  @Test(
    "It leads there when the process is dead, from the wait's own copy of the stack's top", arguments: ["-O0", "-O2"])
  func dead(optimisation: String) throws {
    let waiting = try start(optimisation)
    let modules = try waiting.process.modules()
    waiting.running.kill()
    #expect(!waiting.process.isAlive)
    let files = ModuleFiles(root: .process(waiting.process))
    let unwinder = StackUnwinder(modules: modules, files: files)
    let whole = unwinder.unwind(Registers(waiting.wait.context), memory: MemoryImage(waiting.wait))
    #expect(whole.end == .reachedOutermost)
    #expect(Array(whole.frames.dropFirst().map(\.pc)) == Array(waiting.expected.dropFirst(2)))
    #expect(Symbolizer(modules: modules, files: files).frames(of: whole).outline.last?.hasPrefix("body:") == true)

    // A copy that ends too early gives the inner frames and says where it ended.
    var short = waiting.wait
    short.stackTop.removeLast(short.stackTop.count - 96)
    let part = unwinder.unwind(Registers(short.context), memory: MemoryImage(short))
    #expect(part.frames.count < whole.frames.count && part.frames == Array(whole.frames.prefix(part.frames.count)))
    guard case .unreadableMemory(let at) = part.end else {
      Issue.record("ended with \(part.end)")
      return
    }
    #expect(at >= MemoryImage(short).end)
    #expect(part.end.explanation?.contains("\(at)") == true)
  }

  @Test("Registers of a caller are named by its call, not by the line after it")
  func callersRegisters() throws {
    let waiting = try start("-O0")
    let modules = try waiting.process.modules()
    let files = ModuleFiles(root: .process(waiting.process))
    let unwinder = StackUnwinder(modules: modules, files: files)
    let memory = ProcessMemory(waiting.process)
    // -O0 keeps frame pointers: the interposer's leads to its caller's.
    let frame = waiting.wait.context.bp
    var registers = Registers(waiting.wait.context)
    registers.rbp = try #require(memory.load(UInt64.self, at: Address(frame)))
    registers.rip = try #require(memory.load(UInt64.self, at: Address(frame + 8)))
    registers.rsp = frame + 16
    let found = unwinder.unwind(registers, memory: memory, beginsAtReturnAddress: true)
    #expect(found.end == .reachedOutermost && found.frames[0].isReturnAddress)
    let frames = Symbolizer(modules: modules, files: files).frames(of: found)
    #expect(frames.first?.function == "transfer" && frames.first?.line == waiting.program.line("call"))
  }
}
