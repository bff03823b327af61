import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms

/// A program that makes itself hang, or look as if it did, over the border of two processes; the first argument says how.
///
/// It prints the pids of the processes it consists of, its own first. Children end with their parent.
enum BorderProgram {
  static let compiled = Result { try Program(.c, name: "border", source: source) }

  struct Running {
    let program: RunningProgram
    let files: TemporaryDirectory
    let processes: [LiveProcess]
  }

  /// Started, with every one of its processes asleep for good in a call that is worth asking about.
  static func start(_ mode: String) throws -> Running {
    let files = try TemporaryDirectory()
    let program = try RunningProgram(try compiled.get(), arguments: [mode, files.path])
    // Each tells when it is about to sleep, some before the list of them is out; that it does is the kernel's to say.
    var pids: [Int32] = []
    var ready = 0
    while pids.isEmpty || ready < pids.count {
      let line = try program.readLine()
      if line == "ready" { ready += 1 } else { pids = line.split(separator: " ").compactMap { Int32($0) } }
    }
    let processes = try pids.map { try LiveProcess(pid: $0) }
    // The same sleep at two looks: who is on the way there has run in between.
    var before: [Stillness?] = []
    let sleeps = RunningProgram.wait {
      let now = processes.flatMap { process in process.threads.map { process.stillness(of: $0.tid) } }
      defer { before = now }
      return !now.contains(nil) && now == before
    }
    guard sleeps else { throw CommandFailure(description: "the processes of \(mode) do not fall asleep") }
    return Running(program: program, files: files, processes: processes)
  }

  private static let source = """
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/file.h>
    #include <sys/mman.h>
    #include <sys/prctl.h>
    #include <sys/socket.h>
    #include <sys/time.h>
    #include <sys/wait.h>
    #include <time.h>
    #include <unistd.h>
    static const char *mode;
    static int is(const char *name) { return !strcmp(mode, name); }
    static void ready(void) { if (write(1, "ready\\n", 6) != 6) _exit(2); }
    static pid_t child(void) {
      pid_t pid = fork();
      if (pid == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
      return pid;
    }
    static void handled(int number) { (void)number; }
    static void read_all(int fd) {
      char bytes[4096];
      ssize_t got;
      ready();
      /* A stop ends a read of a socket that has a time limit; programs go on. */
      do got = read(fd, bytes, sizeof bytes); while (got > 0 || (got < 0 && errno == EINTR));
      _exit(0);
    }
    static const char *directory;
    static const char *path(const char *name) {
      static char text[512];
      snprintf(text, sizeof text, "%s/%s", directory, name);
      return text;
    }
    static int opened(const char *name) {
      int fd = open(path(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0) _exit(2);
      return fd;
    }
    static void lock_by_process(int fd) {
      struct flock all = {.l_type = F_WRLCK};
      if (fcntl(fd, F_SETLKW, &all) != 0) _exit(2);
    }
    static void lock(int fd) {
      if (is("posix-holder")) {
        lock_by_process(fd);
      } else if (is("ofd")) {
        struct flock all = {.l_type = F_WRLCK};
        if (fcntl(fd, F_OFD_SETLKW, &all) != 0) _exit(2);
      } else if (flock(fd, LOCK_EX) != 0) _exit(2);
    }
    static void *parked(void *x) {
      static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
      static pthread_cond_t nobody_signals = PTHREAD_COND_INITIALIZER;
      pthread_mutex_lock(&mutex);
      for (;;) pthread_cond_wait(&nobody_signals, &mutex);
      return x;
    }
    static void *pausing(void *x) { for (;;) pause(); return x; }
    static void meet(int in, int out) { char c = 1; if (write(out, &c, 1) != 1 || read(in, &c, 1) != 1) _exit(2); }
    /* Two processes below a third, which only names the files: each locks one and wants the other's. */
    static void lock_both(int first, int second, int in, int out) {
      pthread_t thread;
      if (is("parked-threads")) pthread_create(&thread, NULL, parked, NULL);
      if (is("free-thread")) pthread_create(&thread, NULL, pausing, NULL);
      lock(first);
      meet(in, out);
      ready();
      lock(second);
      _exit(0);
    }
    static struct { pthread_mutex_t mutex, mutexes[2]; pthread_rwlock_t rwlocks[2]; } *board;
    static void make_board(void) {
      board = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
      if (board == MAP_FAILED) _exit(2);
      pthread_mutexattr_t shared;
      pthread_mutexattr_init(&shared);
      pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
      pthread_mutex_init(&board->mutex, &shared);
      pthread_rwlockattr_t shared_rw;
      pthread_rwlockattr_init(&shared_rw);
      pthread_rwlockattr_setpshared(&shared_rw, PTHREAD_PROCESS_SHARED);
      for (int i = 0; i < 2; i++) {
        pthread_mutex_init(&board->mutexes[i], &shared);
        pthread_rwlock_init(&board->rwlocks[i], &shared_rw);
      }
    }
    static void lock_shared(int i) {
      if (is("shared-mutexes")) pthread_mutex_lock(&board->mutexes[i]);
      else pthread_rwlock_wrlock(&board->rwlocks[i]);
    }
    static void lock_both_shared(int first, int in, int out) {
      lock_shared(first);
      meet(in, out);
      ready();
      lock_shared(1 - first);
      _exit(0);
    }
    int main(int count, char **arguments) {
      if (count < 3) return 2;
      mode = arguments[1];
      directory = arguments[2];
      alarm(120);
      int ends[2], back[2];
      if (pipe2(ends, O_CLOEXEC) || pipe2(back, O_CLOEXEC)) return 2;
      pid_t one = 0, two = 0;
      int status;
      if (is("pipe") || is("handler")) {
        if (is("handler")) signal(SIGTERM, handled);
        if (!(one = child())) { close(ends[1]); signal(SIGTERM, SIG_DFL); read_all(ends[0]); }
        printf("%d %d\\n", getpid(), one); fflush(stdout); ready();
        waitpid(one, &status, 0);
      } else if (is("full-pipe")) {
        if (!(one = child())) {
          static char bytes[1 << 20];
          close(ends[0]);
          ready();
          /* A stop ends a write that has begun; so do signals, and programs go on. */
          for (;;) if (write(ends[1], bytes, sizeof bytes) < 0) _exit(1);
        }
        printf("%d %d\\n", getpid(), one); fflush(stdout); ready();
        waitpid(one, &status, 0);
      } else if (is("fifo")) {
        if (mkfifo(path("fifo"), 0600)) return 2;
        int writer = open(path("fifo"), O_RDWR | O_CLOEXEC);
        if (!(one = child())) { int fd = open(path("fifo"), O_RDONLY | O_CLOEXEC); close(writer); read_all(fd); }
        printf("%d %d\\n", getpid(), one); fflush(stdout); ready();
        waitpid(one, &status, 0);
      } else if (is("socket") || is("timed-socket")) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return 2;
        struct timeval limit = {1000, 0};
        for (int i = 0; i < 2 && is("timed-socket"); i++)
          if (setsockopt(pair[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit)) return 2;
        if (!(one = child())) { close(pair[0]); read_all(pair[1]); }
        close(pair[1]);
        printf("%d %d\\n", getpid(), one); fflush(stdout);
        read_all(pair[0]);
      } else if (is("any-child") || is("one-free-child")) {
        if (!(one = child())) { close(ends[1]); read_all(ends[0]); }
        if (!(two = child())) { close(ends[1]); if (is("one-free-child")) { ready(); pausing(NULL); } read_all(ends[0]); }
        printf("%d %d %d\\n", getpid(), one, two); fflush(stdout); ready();
        wait(&status);
      } else if (is("self-pipe")) {
        printf("%d\\n", getpid()); fflush(stdout);
        read_all(ends[0]);
      } else if (is("flock") || is("ofd") || is("parked-threads") || is("free-thread")) {
        if (!(one = child())) { int a = opened("a"), b = opened("b"); lock_both(a, b, ends[0], back[1]); }
        if (!(two = child())) { int a = opened("a"), b = opened("b"); lock_both(b, a, back[0], ends[1]); }
        printf("%d %d\\n", one, two); fflush(stdout);
        waitpid(one, &status, 0);
      } else if (is("flock-and-posix")) {
        /* The kernel refuses a cycle of fcntl's locks alone (EDEADLK), and does not see this one. */
        if (!(one = child())) {
          int a = opened("a"), b = opened("b");
          lock_by_process(a); meet(ends[0], back[1]); ready(); lock(b); _exit(0);
        }
        if (!(two = child())) {
          int a = opened("a"), b = opened("b");
          lock(b); meet(back[0], ends[1]); ready(); lock_by_process(a); _exit(0);
        }
        printf("%d %d\\n", one, two); fflush(stdout);
        waitpid(one, &status, 0);
      } else if (is("shared-mutexes") || is("shared-rwlocks")) {
        make_board();
        if (!(one = child())) lock_both_shared(0, ends[0], back[1]);
        if (!(two = child())) lock_both_shared(1, back[0], ends[1]);
        printf("%d %d\\n", one, two); fflush(stdout);
        waitpid(one, &status, 0);
      } else if (is("flock-holder") || is("posix-holder")) {
        int held = opened("held");
        lock(held);
        if (!(one = child())) {
          close(held);
          int again = opened("held");
          ready();
          lock(again);
          _exit(0);
        }
        printf("%d %d\\n", getpid(), one); fflush(stdout); ready();
        struct timespec long_time = {1000, 0};
        nanosleep(&long_time, NULL);
      } else if (is("shared-holder")) {
        make_board();
        pthread_mutex_lock(&board->mutex);
        if (!(one = child())) { ready(); pthread_mutex_lock(&board->mutex); _exit(0); }
        printf("%d %d\\n", getpid(), one); fflush(stdout); ready();
        struct timespec long_time = {1000, 0};
        nanosleep(&long_time, NULL);
      }
      return 0;
    }
    """
}
