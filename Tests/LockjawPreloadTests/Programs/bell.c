// The collector's bell, with this program as its own collector: what rings, what does not, and how often.
#include "probe.h"
#include <linux/futex.h>
#include <semaphore.h>

static lj_collector_page *page;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool go;

static void map_collector_page(void) {
  char path[600];
  CHECK_EQUAL(count_arenas_of(getpid(), path, sizeof path), 1);
  int file = open(path, O_RDWR | O_CLOEXEC);
  CHECK(file >= 0);
  page = mmap(NULL, LJ_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, LJ_COLLECTOR_OFFSET);
  CHECK(page != MAP_FAILED);
  close(file);
}

// As a collector sleeps: say what for, look once more (the caller does), then wait on the word.
static void *sleep_on_bell(void *unused) {
  uint32_t bell = lj_load_acquire32(&page->bell);
  lj_exchange32(&page->wake_mask, LJ_WAKE_LOCKS);
  // Not FUTEX_PRIVATE: a collector is another process.
  while (lj_load_acquire32(&page->bell) == bell) syscall(SYS_futex, &page->bell, FUTEX_WAIT, bell, NULL, NULL, 0);
  return unused;
}

static void *wait_for_mutex(void *unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void *wait_for_cond(void *unused) {
  pthread_mutex_lock(&mutex);
  while (!go) pthread_cond_wait(&cond, &mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

int main(void) {
  open_arena();
  map_collector_page();
  // Nobody sleeps: nothing rings.
  worker w, collector;
  pthread_mutex_lock(&mutex);
  start(&w, wait_for_mutex, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &mutex));
  CHECK_EQUAL(page->bell, 0);
  pthread_mutex_unlock(&mutex);
  join(&w);
  // The collector sleeps for locks. Its own futex wait and a condition are soft, and ring nothing.
  start(&collector, sleep_on_bell, NULL);
  EVENTUALLY(find_slot(collector.tid) && waits_for(find_slot(collector.tid), &page->bell));
  start(&w, wait_for_cond, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &cond));
  CHECK_EQUAL(page->bell, 0);
  CHECK_EQUAL(page->wake_mask, LJ_WAKE_LOCKS);
  // A mutex wait rings once and takes the mask away; the ones after it find nobody asleep.
  worker waiters[3];
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < 3; i++) {
    start(&waiters[i], wait_for_mutex, NULL);
    EVENTUALLY(waits_for(find_slot(waiters[i].tid), &mutex));
  }
  join(&collector);
  CHECK_EQUAL(page->bell, 1);
  CHECK_EQUAL(page->wake_mask, 0);
  go = true;
  pthread_cond_broadcast(&cond);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 3; i++) join(&waiters[i]);
  join(&w);
  return done();
}
