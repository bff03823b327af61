// A worker pool's shutdown: it locks the pool, then joins the worker, which needs the pool's lock to see that it
// should stop.
//
// lockjaw: verdict=join-cycle certainty=proven threads=2 bystanders=0
#include "sample.h"

static struct {
  pthread_mutex_t lock;
  pthread_t worker;
  bool is_stopping;
  long jobs_done;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};
static pthread_barrier_t pool_is_locked;

static void do_next_job(void) {
  pthread_mutex_lock(&pool.lock);  // lockjaw: waits pool thread=worker
  pool.jobs_done++;
  pthread_mutex_unlock(&pool.lock);
}

static void shut_down(void) {
  pthread_mutex_lock(&pool.lock);  // lockjaw: holds pool thread=closer
  pool.is_stopping = true;
  pthread_barrier_wait(&pool_is_locked);
  pthread_join(pool.worker, NULL);  // lockjaw: joins worker thread=closer
  pthread_mutex_unlock(&pool.lock);
}

static void *worker(void *unused) {
  pthread_setname_np(pthread_self(), "worker");
  pthread_barrier_wait(&pool_is_locked);
  do_next_job();
  return unused;
}

static void *closer(void *unused) {
  pthread_setname_np(pthread_self(), "closer");
  shut_down();
  return unused;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&pool_is_locked, NULL, 2);
  pthread_create(&pool.worker, NULL, worker, NULL);
  pthread_t closing;
  pthread_create(&closing, NULL, closer, NULL);
  sample_serve();
}
