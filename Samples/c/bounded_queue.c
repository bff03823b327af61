// A queue of two places between two producers and a consumer, in semaphores. Both producers have put an item in; one
// waits for room with the journal locked, the other for the journal. The consumer has taken nothing yet: it is busy
// with something else for half a second. Nobody is stuck, though every place was taken by a producer who now waits.
//
// lockjaw: verdict=healthy|contention ends=exit
#include "sample.h"

#include <semaphore.h>

enum { PLACES = 2, ITEMS = 4 };

static sem_t room, items;
static pthread_mutex_t journal = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t queue_is_full;
static _Atomic pid_t first, second;
static atomic_int sum;

static void put(int item) {
  sem_wait(&room);
  sum += item;
  sem_post(&items);
}

static void put_in_journal(int item) {
  pthread_mutex_lock(&journal);
  put(item);
  pthread_mutex_unlock(&journal);
}

static void *produce_first(void *unused) {
  pthread_setname_np(pthread_self(), "first");
  put(1);
  pthread_barrier_wait(&queue_is_full);
  first = gettid();
  put_in_journal(2);
  return unused;
}

static void *produce_second(void *unused) {
  pthread_setname_np(pthread_self(), "second");
  put(3);
  pthread_barrier_wait(&queue_is_full);
  sample_await_blocked(&first, &room, sizeof room);
  second = gettid();
  put_in_journal(4);
  return unused;
}

int main(void) {
  sample_begin();
  sem_init(&room, 0, PLACES);
  sem_init(&items, 0, 0);
  pthread_barrier_init(&queue_is_full, NULL, 2);
  pthread_t producers[2];
  pthread_create(&producers[0], NULL, produce_first, NULL);
  pthread_create(&producers[1], NULL, produce_second, NULL);
  sample_await_blocked(&second, &journal, sizeof journal);
  nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);  // What else it has to do.
  for (int i = 0; i < ITEMS; i++) {
    sem_wait(&items);
    sem_post(&room);
  }
  pthread_join(producers[0], NULL);
  pthread_join(producers[1], NULL);
  return sum == 10 ? 0 : 1;
}
