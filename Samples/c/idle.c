// A server with nothing to do: workers wait on a condition for jobs, a listener waits in poll. It looks like a hang from
// the outside and is none.
//
// lockjaw: verdict=idle|healthy
#include "sample.h"

enum { WORKERS = 4 };

static struct {
  pthread_mutex_t lock;
  pthread_cond_t ready;
  int jobs;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .ready = PTHREAD_COND_INITIALIZER};
static int clients[2];

static void take_job(void) {
  pthread_mutex_lock(&queue.lock);
  while (queue.jobs == 0) pthread_cond_wait(&queue.ready, &queue.lock);
  queue.jobs--;
  pthread_mutex_unlock(&queue.lock);
}

static void *worker(void *argument) {
  char name[16];
  snprintf(name, sizeof name, "worker-%d", (int)(intptr_t)argument);
  pthread_setname_np(pthread_self(), name);
  for (;;) take_job();
  return NULL;
}

static void *listener(void *unused) {
  pthread_setname_np(pthread_self(), "listener");
  struct pollfd incoming = {.fd = clients[0], .events = POLLIN};
  while (poll(&incoming, 1, -1) < 0 && errno == EINTR) continue;
  return unused;
}

int main(void) {
  sample_begin();
  if (pipe(clients) != 0) return 2;
  pthread_t thread;
  for (intptr_t i = 0; i < WORKERS; i++) pthread_create(&thread, NULL, worker, (void *)i);
  pthread_create(&thread, NULL, listener, NULL);
  sample_serve();
}
