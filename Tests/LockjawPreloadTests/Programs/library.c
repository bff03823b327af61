// A library for `life modules`: locks from code that was not there at the start.
#include <pthread.h>
void lock_it(pthread_mutex_t *mutex) {
  pthread_mutex_lock(mutex);
  __asm__ volatile("");
}
