import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis

/// Another process of a chain, told by its arena, while its threads go on.
@Suite struct NeighbourTests {
  /// The thread waits for `first`, is called away by a signal, and waits for `second` afterwards.
  private static let source = """
    #define _GNU_SOURCE
    #include <pthread.h>
    #include <signal.h>
    #include <stdio.h>
    #include <unistd.h>
    static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
    static int gate[2];
    static void called_away(int number) { char c; (void)number; if (read(gate[0], &c, 1) != 1) _exit(2); }
    static void *waiter(void *x) {
      sigset_t one;
      sigemptyset(&one);
      sigaddset(&one, SIGUSR1);
      pthread_sigmask(SIG_UNBLOCK, &one, NULL);
      printf("%d %lx %lx\\n", gettid(), (long)&first, (long)&second);
      fflush(stdout);
      pthread_mutex_lock(&first);
      pthread_mutex_lock(&second);
      return x;
    }
    int main(void) {
      alarm(120);
      struct sigaction action = {.sa_handler = called_away, .sa_flags = SA_RESTART};
      sigset_t both;
      sigemptyset(&both);
      sigaddset(&both, SIGUSR1);
      sigaddset(&both, SIGUSR2);
      pthread_sigmask(SIG_BLOCK, &both, NULL);
      sigaction(SIGUSR1, &action, NULL);
      if (pipe(gate)) return 2;
      pthread_mutex_lock(&first);
      pthread_mutex_lock(&second);
      pthread_t thread;
      pthread_create(&thread, NULL, waiter, NULL);
      int number;
      sigset_t two;
      sigemptyset(&two);
      sigaddset(&two, SIGUSR2);
      sigwait(&two, &number);
      pthread_mutex_unlock(&first);
      if (write(gate[1], "x", 1) != 1) return 2;
      for (;;) pause();
    }
    """

  @Test("A wait that an arena had before its thread fell asleep in another is not kept, and one of that sleep is")
  func staleWait() throws {
    // Arenas belong in memory.
    let directory = try TemporaryDirectory(in: "/dev/shm")
    let shim = try #require(Self.shim, "the library is not beside the tests")
    let running = try RunningProgram(
      try Program(.c, name: "called_away", source: Self.source),
      environment: ["LD_PRELOAD": shim, "LOCKJAW_DIR": directory.path])
    let fields = try running.readLine().split(separator: " ")
    try #require(fields.count == 3)
    let waiter = ThreadID(try #require(Int32(fields[0])))
    let first = Address(try #require(UInt64(fields[1], radix: 16)))
    let second = Address(try #require(UInt64(fields[2], radix: 16)))
    let process = try LiveProcess(pid: running.pid)
    let arena = try ArenaReader(path: try #require(try Self.file(in: directory.path)))

    try #require(RunningProgram.wait { process.kernelState(of: waiter) == .futexWait(word: first) })
    kill(running.pid, SIGUSR1)
    try #require(
      RunningProgram.wait { if case .systemCall(0, _) = process.kernelState(of: waiter) { true } else { false } })
    let early = Neighbour(process, index: 1, hops: 1)
    early.read(arena: arena, mayStop: false)
    #expect(wait(of: waiter, in: early)?.object == first, "the arena has the wait that the signal interrupted")

    kill(running.pid, SIGUSR2)
    try #require(RunningProgram.wait { process.kernelState(of: waiter) == .futexWait(word: second) })
    early.settle { [] }
    #expect(wait(of: waiter, in: early) == nil, "it sleeps, and not for what the arena had said")

    let late = Neighbour(process, index: 1, hops: 1)
    late.read(arena: arena, mayStop: false)
    late.settle { [] }
    #expect(wait(of: waiter, in: late)?.object == second)
  }

  private func wait(of thread: ThreadID, in neighbour: Neighbour) -> Wait? {
    neighbour.threads.first { $0.tid == thread }?.wait
  }

  /// The built library, beside the tests as it is beside `lockjaw`.
  private static let shim: String? = {
    guard let own = realpath("/proc/self/exe", nil) else { return nil }
    defer { free(own) }
    let path = String(cString: own)
    guard let slash = path.lastIndex(of: "/") else { return nil }
    let library = path[..<slash] + "/liblockjaw_preload.so"
    return access(String(library), R_OK) == 0 ? String(library) : nil
  }()

  /// The one arena in a directory.
  private static func file(in directory: String) throws -> String? {
    let names = try Command.succeed(["ls", directory]).split(separator: "\n")
    return names.count == 1 ? "\(directory)/\(names[0])" : nil
  }
}
