// A cache with a home-made unlock that "saves a system call": it clears the mutex by hand and wakes nobody. Whoever fell asleep
// on the lock before sleeps on, though it is free.
//
// lockjaw: verdict=lost-wakeup certainty=inferred threads=1 bystanders=0
#include "sample.h"

static pthread_mutex_t cache = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t cache_is_locked;
static _Atomic pid_t reader;

/// The mistake. What is not the same as in pthread_mutex_unlock: the word may say that there are waiters.
static void unlock_quickly(pthread_mutex_t *mutex) {
  mutex->__data.__owner = 0;
  mutex->__data.__nusers--;
  __atomic_store_n(&mutex->__data.__lock, 0, __ATOMIC_RELEASE);
}

static void *refresh(void *unused) {
  pthread_setname_np(pthread_self(), "refresher");
  pthread_mutex_lock(&cache);
  pthread_barrier_wait(&cache_is_locked);
  sample_await_blocked(&reader, &cache, sizeof cache);
  unlock_quickly(&cache);
  return unused;
}

static void *look_up(void *unused) {
  pthread_setname_np(pthread_self(), "reader");
  pthread_barrier_wait(&cache_is_locked);
  reader = gettid();
  pthread_mutex_lock(&cache);  // lockjaw: waits cache thread=reader
  pthread_mutex_unlock(&cache);
  return unused;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&cache_is_locked, NULL, 2);
  pthread_t threads[2];
  pthread_create(&threads[0], NULL, refresh, NULL);
  pthread_create(&threads[1], NULL, look_up, NULL);
  sample_serve();
}
