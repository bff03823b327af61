import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

/// Prints what each of its threads is asleep on, and sleeps.
private let source = """
  #define _GNU_SOURCE
  #include <arpa/inet.h>
  #include <pthread.h>
  #include <signal.h>
  #include <stdio.h>
  #include <string.h>
  #include <sys/file.h>
  #include <sys/mman.h>
  #include <sys/socket.h>
  #include <sys/wait.h>
  #include <time.h>
  #include <unistd.h>
  static int ends[2], pair[2], connection;
  static pid_t child;
  static void handled(int number) { (void)number; }
  static void *body(void *name) {
    char c;
    pthread_setname_np(pthread_self(), name);
    if (!strcmp(name, "pipe")) read(ends[0], &c, 1);
    if (!strcmp(name, "unix")) read(pair[0], &c, 1);
    if (!strcmp(name, "tcp")) recv(connection, &c, 1, 0);
    if (!strcmp(name, "child")) waitpid(child, NULL, 0);
    if (!strcmp(name, "sleep")) { struct timespec t = {1000, 0}; nanosleep(&t, NULL); }
    if (!strcmp(name, "busy")) for (volatile int i = 0;; i++);
    return NULL;
  }
  int main(void) {
    signal(SIGUSR1, handled);
    pipe(ends);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    bind(listener, (void *)&here, size); listen(listener, 1); getsockname(listener, (void *)&here, &size);
    connection = socket(AF_INET, SOCK_STREAM, 0);
    connect(connection, (void *)&here, size);
    if (!(child = fork())) for (;;) pause();
    char *names[] = {"pipe", "unix", "tcp", "child", "sleep", "busy"};
    pthread_t thread;
    for (int i = 0; i < 6; i++) pthread_create(&thread, NULL, body, names[i]);
    void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("%d %d %p %p\\n", child, ntohs(here.sin_port), shared, private); fflush(stdout);
    for (;;) pause();
  }
  """

@Suite("What the machine says of processes together")
struct MachineTests {
  private let running: RunningProgram
  private let process: LiveProcess
  private let child: Int32
  private let port: Substring
  private let shared: Address
  private let own: Address

  init() throws {
    running = try RunningProgram(Program(.c, name: "asleep", source: source))
    let words = try running.readLine().split(separator: " ")
    child = try #require(Int32(words[0]))
    port = words[1]
    shared = Address(try #require(UInt64(words[2].dropFirst(2), radix: 16)))
    own = Address(try #require(UInt64(words[3].dropFirst(2), radix: 16)))
    process = try LiveProcess(pid: running.pid)
  }

  private func thread(_ name: String) throws -> ThreadID {
    var found: ThreadID?
    _ = RunningProgram.wait {
      found = process.threads.first { $0.name == name }?.tid
      guard let found else { return false }
      return name == "busy" || process.stillness(of: found) != nil
    }
    return try #require(found)
  }

  @Test("A sleeping thread's pipe, socket and child are told with who is at the other end and what it does")
  func elaboration() throws {
    defer { kill(child, SIGKILL) }
    let pipe = process.elaboration(of: try thread("pipe")).joined()
    #expect(pipe.hasPrefix("The writing end of pipe:["), "\(pipe)")
    #expect(pipe.contains("is open in process \(running.pid) (") && pipe.contains("process \(child) ("), "\(pipe)")
    let unix = process.elaboration(of: try thread("unix")).joined()
    #expect(unix.hasPrefix("The other end of unix socket ") && unix.contains("process \(running.pid) ("), "\(unix)")
    let tcp = process.elaboration(of: try thread("tcp")).joined()
    #expect(tcp.contains("TCP 127.0.0.1:") && tcp.hasSuffix(" to 127.0.0.1:\(port)."), "\(tcp)")
    let waiting = process.elaboration(of: try thread("child")).joined()
    #expect(waiting.hasPrefix("Child \(child) (") && waiting.hasSuffix(") is asleep in pause."), "\(waiting)")
    #expect(process.activity(of: try thread("sleep")) == "sleeps for a time that it has set itself (clock_nanosleep)")
    #expect(process.elaboration(of: try thread("sleep")) == [])
  }

  @Test("The table of processes knows children, who has a pipe's end, and which signals have handlers")
  func table() throws {
    defer { kill(child, SIGKILL) }
    _ = try thread("pipe")
    let table = ProcessTable()
    #expect(table.children(of: running.pid) == [child])
    #expect(table.parent(of: child) == running.pid)
    #expect(table.descendants(of: running.pid, limit: 9) == [child])
    let wait = process.kernelWait(of: try thread("pipe")) { [] }
    guard case .pipe(let target, awaitsWriter: true)? = wait else {
      Issue.record("\(String(describing: wait))")
      return
    }
    let openings = table.openings(of: target)
    // Both ends in both processes: the child inherited them.
    #expect(openings.map(\.pid).sorted() == [running.pid, running.pid, child, child].sorted())
    let access = openings.filter { $0.pid == child }.compactMap { table.access($0) }
    #expect(access.filter { $0.reads }.count == 1 && access.filter { $0.writes }.count == 1)
    #expect(process.handledSignals(among: [Int(SIGUSR1), Int(SIGTERM)]) == [Int(SIGUSR1)])
  }

  @Test("Shared memory has one place in both processes, private memory has none")
  func places() throws {
    defer { kill(child, SIGKILL) }
    let mappings = SharedMappings(process)
    let place = try #require(mappings.place(of: Address(shared.rawValue + 0x40)))
    #expect(place.offset == 0x40)
    #expect(mappings.address(of: place) == Address(shared.rawValue + 0x40))
    #expect(mappings.place(of: own) == nil)
    #expect(mappings.place(of: Address(8)) == nil)
  }

  @Test("A thread is still while it sleeps, and no more once it has run")
  func stillness() throws {
    defer { kill(child, SIGKILL) }
    let pipe = try thread("pipe")
    let first = try #require(process.stillness(of: pipe))
    #expect(process.stillness(of: pipe) == first)
    // A stop makes it run for an instant, and it falls asleep in the same call.
    _ = try Snapshot.take(pid: running.pid)
    #expect(RunningProgram.wait { process.stillness(of: pipe).map { $0 != first } ?? false })
    #expect(process.stillness(of: try thread("busy")) == nil)
  }

  @Test("A running thread's use of the processors is measured: it runs or waits to, and a sleeping one does neither")
  func processorUse() throws {
    defer { kill(child, SIGKILL) }
    let busy = try #require(process.processorUse(of: try thread("busy"), milliseconds: 100))
    #expect(busy.watchedNanoseconds >= 100_000_000)
    #expect(busy.ranNanoseconds + busy.delayedNanoseconds > busy.watchedNanoseconds / 3, "\(busy)")
    let asleep = try #require(process.processorUse(of: try thread("sleep"), milliseconds: 10))
    #expect(asleep.ranNanoseconds == 0 && asleep.delayedNanoseconds == 0, "\(asleep)")
    #expect(process.processorUse(of: ThreadID(1)) == nil)
  }

  @Test("A process that is stopped by a signal is told, and one that goes on is not")
  func stopped() throws {
    defer { kill(child, SIGKILL) }
    #expect(!process.isStopped)
    kill(running.pid, SIGSTOP)
    #expect(RunningProgram.wait { process.isStopped })
    kill(running.pid, SIGCONT)
    #expect(RunningProgram.wait { !process.isStopped })
  }
}
