import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

private let sleepers = """
  #include <fcntl.h>
  #include <poll.h>
  #include <pthread.h>
  #include <stdio.h>
  #include <string.h>
  #include <sys/file.h>
  #include <sys/wait.h>
  #include <time.h>
  #include <unistd.h>
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_mutex_t inheriting;
  static int ends[2];
  static volatile int spinning = 1;
  static void *named(void *name) {
    char c;
    pthread_setname_np(pthread_self(), name);
    if (!strcmp(name, "mutex")) pthread_mutex_lock(&mutex);
    if (!strcmp(name, "PI mutex")) pthread_mutex_lock(&inheriting);
    if (!strcmp(name, "timed")) { struct timespec t = {2000000000, 0}; pthread_mutex_timedlock(&mutex, &t); }
    if (!strcmp(name, "pipe")) read(ends[0], &c, 1);
    if (!strcmp(name, "poll")) poll(NULL, 0, -1);
    if (!strcmp(name, "child")) waitpid(-1, NULL, 0);
    if (!strcmp(name, "busy)) ( R")) while (spinning);
    return NULL;
  }
  int main(void) {
    pthread_mutexattr_t attribute;
    pthread_mutexattr_init(&attribute);
    pthread_mutexattr_setprotocol(&attribute, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inheriting, &attribute);
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&inheriting);
    pipe(ends);
    pid_t child = fork();
    if (!child) for (;;) pause();
    char *names[] = {"mutex", "PI mutex", "timed", "pipe", "poll", "child", "busy)) ( R"};
    pthread_t thread;
    for (int i = 0; i < 7; i++) pthread_create(&thread, NULL, named, names[i]);
    printf("%p %p %d %d\\n", (void *)&mutex, (void *)&inheriting, ends[0], child);
    fflush(stdout);
    waitpid(child, NULL, 0);
    return 0;
  }
  """

@Suite("What the kernel says of a thread")
struct KernelStateTests {
  @Test("Each kind of sleep is told apart: futex, PI futex, read, poll, child, and running")
  func sleeps() throws {
    let running = try RunningProgram(Program(.c, name: "sleepers", source: sleepers))
    let words = try running.readLine().split(separator: " ")
    let child = try #require(Int32(words[3]))
    defer { kill(child, SIGKILL) }
    let mutex = Address(try #require(UInt64(words[0].dropFirst(2), radix: 16)))
    let inheriting = Address(try #require(UInt64(words[1].dropFirst(2), radix: 16)))
    let descriptor = words[2]
    let process = try LiveProcess(pid: running.pid)

    func thread(_ name: String) -> ThreadID? { process.threads.first { $0.name == name }?.tid }
    func settles(_ name: String, _ isExpected: (KernelState) -> Bool) -> Bool {
      RunningProgram.wait { thread(name).map { isExpected(process.kernelState(of: $0)) } ?? false }
    }
    #expect(settles("mutex") { $0 == .futexWait(word: mutex) })
    #expect(settles("PI mutex") { $0 == .futexWait(word: inheriting) })
    #expect(settles("timed") { $0 == .futexWait(word: mutex) })
    #expect(settles("pipe") { $0 == .systemCall(number: 0, name: "read") })
    #expect(settles("poll") { $0 == .systemCall(number: 7, name: "poll") })
    #expect(settles("child") { $0 == .systemCall(number: 61, name: "wait4") })
    #expect(settles("busy)) ( R") { $0 == .running })

    let activity = { (name: String) in thread(name).map { process.activity(of: $0) } ?? "" }
    #expect(activity("mutex") == "asleep in a futex wait on \(mutex)")
    let pipe = activity("pipe")
    #expect(pipe.hasPrefix("asleep in read on pipe:[") && pipe.hasSuffix("] (fd \(descriptor))"))
    #expect(activity("poll") == "asleep in poll")
    #expect(activity("child") == "waits for any child (wait4)")
    #expect(activity("busy)) ( R") == "runs")
    #expect(process.activity(of: ThreadID(process.pid)) == "waits for child \(child) (wait4)")
    #expect(process.kernelState(of: ThreadID(child)) == .gone)
    #expect(process.activity(of: ThreadID(child)) == "has ended")
  }

  @Test("A timed futex wait is still recognised after the process was stopped and continued")
  func restarted() throws {
    let running = try RunningProgram(Program(.c, name: "sleepers", source: sleepers))
    let words = try running.readLine().split(separator: " ")
    let child = try #require(Int32(words[3]))
    defer { kill(child, SIGKILL) }
    let mutex = Address(try #require(UInt64(words[0].dropFirst(2), radix: 16)))
    let process = try LiveProcess(pid: running.pid)
    func state() -> KernelState? {
      process.threads.first { $0.name == "timed" }.map { process.kernelState(of: $0.tid) }
    }
    #expect(RunningProgram.wait { state() == .futexWait(word: mutex) })
    kill(running.pid, SIGSTOP)
    #expect(RunningProgram.wait { process.threads.allSatisfy { $0.state == "T" } })
    #expect(process.activity(of: ThreadID(running.pid)) == "is stopped by a signal")
    kill(running.pid, SIGCONT)
    #expect(RunningProgram.wait { state() == .futexWait(word: mutex) })
    // What a snapshot does to the thread is the same.
    _ = try Snapshot.take(pid: running.pid)
    #expect(RunningProgram.wait { state() == .futexWait(word: mutex) })
  }

  @Test("A thread that never was is gone")
  func noSuchThread() throws {
    let own = try LiveProcess(pid: getpid())
    #expect(own.kernelState(of: ThreadID(1)) == .gone)
    #expect(own.kernelState(of: ThreadID(Int32.max)) == .gone)
  }
}
