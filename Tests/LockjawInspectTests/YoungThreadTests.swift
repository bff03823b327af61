import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

/// Threads that begin while a process is being stopped.
@Suite struct YoungThreadTests {
  @Test("Of a thread that began during the stop it is known that it has not slept for long, and its stack is whole")
  func beganDuringStop() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "young",
        source: """
          #include <pthread.h>
          #include <stdio.h>
          #include <stdlib.h>
          #include <unistd.h>
          static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
          static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
          static int alive;
          static void *body(void *x) {
            usleep(3000);
            pthread_mutex_lock(&mutex);
            alive--;
            pthread_cond_signal(&ended);
            pthread_mutex_unlock(&mutex);
            return x;
          }
          int main(void) {
            alarm(120);
            puts("ready"); fflush(stdout);
            for (;;) {
              pthread_mutex_lock(&mutex);
              while (alive >= 24) pthread_cond_wait(&ended, &mutex);
              alive++;
              pthread_mutex_unlock(&mutex);
              pthread_attr_t attributes;
              pthread_attr_init(&attributes);
              // Another size each time: none of the stacks of ended threads fits, so each is a new mapping.
              pthread_attr_setstacksize(&attributes, 65536 + rand() % 4096 * 4096L);
              pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
              pthread_t thread;
              if (pthread_create(&thread, &attributes, body, NULL)) return 2;
            }
          }
          """))
    try #require(try running.readLine() == "ready")
    var (asleep, undated, cut) = (0, 0, 0)
    for _ in 0..<40 {
      let snapshot = try Snapshot.take(pid: running.pid)
      // One that dates nobody is of a kernel without these books.
      guard snapshot.threads.contains(where: { $0.sleptNanoseconds != nil }) else { continue }
      for thread in snapshot.threads where thread.blockingCall?.number == 230 {  // clock_nanosleep
        asleep += 1
        if thread.sleptNanoseconds == nil { undated += 1 }
        // Below `body` lie the C library's start of a thread and its descriptor: more than is left of most pages.
        if (thread.stack?.bytes.count ?? 0) < 2048 { cut += 1 }
      }
    }
    #expect(asleep > 0)
    #expect(undated == 0 && cut == 0, "of \(asleep) threads asleep \(undated) are undated, and \(cut) stacks are cut")
  }
}
