// Dies by SIGKILL and leaves its arena.
//   remains deadlock   while a thread waits for a mutex that it has itself
//   remains idle       while a thread waits for a condition
//   remains nothing    while nobody waits
#include "probe.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void *deadlock(void *unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_lock(&mutex);
  return unused;
}
static void *idle(void *unused) {
  pthread_mutex_lock(&mutex);
  pthread_cond_wait(&cond, &mutex);
  return unused;
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  open_arena();
  bool locks = !strcmp(argv[1], "deadlock"), waits = locks || !strcmp(argv[1], "idle");
  worker w;
  if (waits) {
    start(&w, locks ? deadlock : idle, NULL);
    EVENTUALLY(find_slot(w.tid));
    EVENTUALLY(waits_for(find_slot(w.tid), locks ? (void *)&mutex : (void *)&cond));
  } else {
    pthread_mutex_lock(&mutex);
  }
  raise(SIGKILL);
}
