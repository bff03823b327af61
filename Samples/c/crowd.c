// A server with 1,000 threads: 3 of them deadlock in a ring over three shards, 690 wait for work, 300 wait in poll, and
// 7 go on serving. The three must be found among the thousand, and the others must not be accused.
//
// lockjaw: verdict=deadlock certainty=proven threads=3 bystanders=0
#include "sample.h"

enum { IDLE = 690, POLLING = 300, SERVING = 7, SHARDS = 3, STACK_BYTES = 64 * 1024 };

static pthread_mutex_t shards[SHARDS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                         PTHREAD_MUTEX_INITIALIZER};
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t jobs_ready = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t each_holds_one;
static int jobs, never_readable[2];
static _Atomic long served;
static long moved;

static void rebalance(int shard) {
  pthread_mutex_t *mine = &shards[shard], *next = &shards[(shard + 1) % SHARDS];
  pthread_mutex_lock(mine);  // lockjaw: holds shard0,shard1,shard2 thread=rebalance-0,rebalance-1,rebalance-2
  pthread_barrier_wait(&each_holds_one);
  pthread_mutex_lock(next);  // lockjaw: waits shard1,shard2,shard0 thread=rebalance-0,rebalance-1,rebalance-2
  moved++;
  pthread_mutex_unlock(next);
  pthread_mutex_unlock(mine);
}

static void name_thread(const char *role, intptr_t index) {
  char name[16];
  snprintf(name, sizeof name, "%s-%d", role, (int)index);
  pthread_setname_np(pthread_self(), name);
}

static void *rebalancer(void *argument) {
  name_thread("rebalance", (intptr_t)argument);
  rebalance((int)(intptr_t)argument);
  return NULL;
}

static void *idle_worker(void *argument) {
  name_thread("idle", (intptr_t)argument);
  pthread_mutex_lock(&jobs_lock);
  while (jobs == 0) pthread_cond_wait(&jobs_ready, &jobs_lock);
  pthread_mutex_unlock(&jobs_lock);
  return NULL;
}

static void *connection(void *argument) {
  name_thread("conn", (intptr_t)argument);
  struct pollfd incoming = {.fd = never_readable[0], .events = POLLIN};
  poll(&incoming, 1, -1);
  return NULL;
}

static void *serving(void *argument) {
  name_thread("serve", (intptr_t)argument);
  pthread_mutex_t statistics = PTHREAD_MUTEX_INITIALIZER;
  for (;;) {
    pthread_mutex_lock(&statistics);
    served++;
    pthread_mutex_unlock(&statistics);
    // A request every ten milliseconds: the pace of the work, not a way to line threads up.
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
  }
  return NULL;
}

static void start(void *(*body)(void *), int count) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  for (intptr_t i = 0; i < count; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, body, (void *)i) != 0) {
      fprintf(stderr, "crowd: a thread could not be created: raise `ulimit -u`\n");
      exit(2);
    }
  }
  pthread_attr_destroy(&attributes);
}

int main(void) {
  sample_begin();
  if (pipe(never_readable) != 0) return 2;
  pthread_barrier_init(&each_holds_one, NULL, SHARDS);
  start(idle_worker, IDLE);
  start(connection, POLLING);
  start(serving, SERVING - 1);  // The main thread is the seventh that serves.
  start(rebalancer, SHARDS);
  serving((void *)(intptr_t)(SERVING - 1));
}
