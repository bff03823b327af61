import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

/// Threads asleep in all the ways C programs sleep, one of them inside a signal handler on a stack of its own.
private let manyWaits = """
  #include <errno.h>
  #include <poll.h>
  #include <pthread.h>
  #include <semaphore.h>
  #include <signal.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <unistd.h>
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  static pthread_mutex_t companion = PTHREAD_MUTEX_INITIALIZER;
  static pthread_barrier_t started;
  static sem_t semaphore;
  static int ends[2];

  static int compare(const void *a, const void *b) { (void)a; (void)b; pthread_mutex_lock(&mutex); return 0; }
  static void handler(int number) { (void)number; char c; if (read(ends[0], &c, 1) < 0) abort(); }
  static int recurse(int depth) { return depth ? recurse(depth - 1) + depth : (int)pause(); }

  static void *body(void *which) {
    pthread_barrier_wait(&started);
    switch ((long)which) {
    case 0: pthread_mutex_lock(&mutex); break;
    case 1: pthread_rwlock_wrlock(&rwlock); break;
    case 2: pthread_mutex_lock(&companion); for (;;) pthread_cond_wait(&condition, &companion); break;
    case 3: sem_wait(&semaphore); break;
    case 4: { int values[] = {2, 1, 3}; qsort(values, 3, sizeof *values, compare); break; }
    case 5: poll(NULL, 0, -1); break;
    case 6: recurse(60); break;
    case 7: {
      stack_t alternate = {.ss_sp = malloc(65536), .ss_size = 65536};
      sigaltstack(&alternate, NULL);
      struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
      sigaction(SIGUSR1, &action, NULL);
      raise(SIGUSR1);
      break;
    }
    }
    return NULL;
  }

  int main(void) {
    pthread_t thread[8];
    pthread_mutex_lock(&mutex);
    pthread_rwlock_rdlock(&rwlock);
    sem_init(&semaphore, 0, 0);
    if (pipe(ends)) return 1;
    pthread_barrier_init(&started, NULL, 9);
    for (long i = 0; i < 8; i++) pthread_create(&thread[i], NULL, body, (void *)i);
    pthread_barrier_wait(&started);
    puts("ready");
    fflush(stdout);
    pthread_join(thread[0], NULL);
    return 0;
  }
  """

@Suite("Unwinding")
struct UnwindingTests {
  @Test("Every program counter of every thread equals eu-stack's", arguments: ["-O0", "-O2"])
  func equalsElfutils(optimisation: String) throws {
    let target = try Target(Program(.c, name: "waits", flags: ["-g", optimisation], source: manyWaits), sleepers: 9)
    let expected = elfutilsStacks(try Command.run(["eu-stack", "-p", "\(target.running.pid)"]).text)
    #expect(expected.count == 9)
    for thread in target.snapshot.threads {
      let unwinding = try #require(target.unwinding(thread))
      #expect(unwinding.end == .reachedOutermost)
      #expect(unwinding.frames.map(\.pc.rawValue) == expected[thread.tid.rawValue])
    }
  }

  @Test("A stack that crosses a signal handler on its own stack is whole, and the interrupted frame is exact")
  func signalFrames() throws {
    let target = try Target(Program(.c, name: "waits", source: manyWaits), sleepers: 9)
    let inHandler = try #require(
      target.snapshot.threads.first { thread in
        target.unwinding(thread).map { target.symbolizer.frames(of: $0).contains { $0.function == "handler" } } ?? false
      })
    let unwinding = try #require(target.unwinding(inHandler))
    let names = unwinding.frames.map {
      target.symbolizer.frames(at: $0.pc, isReturnAddress: $0.isReturnAddress).last?.function ?? "?"
    }
    let handler = try #require(names.firstIndex(of: "handler"))
    let trampoline = handler + 1
    #expect(Array(names[trampoline...]).contains("body"))
    #expect(!unwinding.frames[trampoline].isReturnAddress)
    #expect(!unwinding.frames[trampoline + 1].isReturnAddress)
    #expect(unwinding.frames[handler].isReturnAddress)
    #expect(unwinding.frames[trampoline + 2].isReturnAddress)
    #expect(names[trampoline] == "__restore_rt")
  }

  @Test("A dead process' stack unwinds from a copy of it and the modules' files")
  func deadProcess() throws {
    let target = try Target(Program(.c, name: "waits", source: manyWaits), sleepers: 9)
    // The thread in the signal handler has two stacks, and the copy holds the one it stood on.
    let threads = target.snapshot.threads.filter { thread in
      !(target.unwinding(thread).map { target.symbolizer.frames(of: $0).contains { $0.function == "handler" } } ?? true)
    }
    let before = threads.compactMap { target.unwinding($0) }
    target.running.kill()
    let files = ModuleFiles(root: .host)
    let unwinder = StackUnwinder(modules: target.snapshot.modules, files: files)
    let after = threads.compactMap { thread in
      thread.registers.map { unwinder.unwind($0, memory: target.snapshot.memory) }
    }
    #expect(after == before)
    #expect(after.count == 8)
  }

  @Test("As many frames as were asked for, and no more")
  func limit() throws {
    let target = try Target(Program(.c, name: "waits", source: manyWaits), sleepers: 9)
    let deep = try #require(
      target.snapshot.threads.compactMap { target.unwinding($0) }.max { $0.frames.count < $1.frames.count })
    #expect(deep.frames.count > 60)
    let thread = try #require(target.snapshot.threads.first { target.unwinding($0) == deep })
    let registers = try #require(thread.registers)
    let short = target.unwinder.unwind(registers, memory: target.snapshot.memory, limit: 7)
    #expect(short.frames == Array(deep.frames.prefix(7)))
    #expect(short.end == .limit)
  }

  @Test("Code without unwind information ends the stack and says where")
  func noTable() throws {
    let target = try Target(
      Program(
        .c, name: "bare",
        flags: ["-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fomit-frame-pointer"],
        source: """
          #include <stdio.h>
          #include <unistd.h>
          __attribute__((noinline)) static int inner(void) { return pause() + 1; }
          int main(void) { puts("ready"); fflush(stdout); return inner() + 1; }
          """), sleepers: 1)
    let unwinding = try #require(target.unwinding(target.snapshot.threads[0]))
    guard case .noUnwindInformation(let at) = unwinding.end else {
      Issue.record("ended with \(unwinding.end)")
      return
    }
    #expect(at == unwinding.frames.last?.pc)
    #expect(target.symbolizer.frames(at: at, isReturnAddress: true).first?.function == "inner")
  }

  /// "TID 123:" and "#0 0x00007f… name" lines.
  private func elfutilsStacks(_ text: String) -> [Int32: [UInt64]] {
    var result = [Int32: [UInt64]]()
    var thread: Int32?
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, words[0] == "TID", let number = Int32(words[1].dropLast()) {
        thread = number
        result[number] = []
      } else if let thread, words.count > 1, words[0].hasPrefix("#"), let pc = UInt64(words[1].dropFirst(2), radix: 16)
      {
        result[thread, default: []].append(pc)
      }
    }
    return result
  }
}
