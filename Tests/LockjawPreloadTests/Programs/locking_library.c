// Locks for others: a call from code that comes and goes. With a kilobyte of static thread-local storage, as a library that
// is loaded late may still ask for.
#include <pthread.h>

__thread char storage[1024] __attribute__((tls_model("initial-exec")));

void library_lock(pthread_mutex_t *mutex, int and_unlock) {
  storage[0]++;
  pthread_mutex_lock(mutex);
  if (and_unlock) pthread_mutex_unlock(mutex);
}
void library_unlock(pthread_mutex_t *mutex) { pthread_mutex_unlock(mutex); }
void library_rwlock_unlock(pthread_rwlock_t *rwlock) { pthread_rwlock_unlock(rwlock); }
