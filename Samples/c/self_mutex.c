// A journal: append takes the lock, finds the buffer full and calls flush, which takes the same lock. The mutex is of
// the normal type, so the thread waits for itself.
//
// lockjaw: verdict=self-deadlock certainty=proven threads=1 bystanders=0
#include "sample.h"

static struct {
  pthread_mutex_t lock;
  char buffer[16];
  size_t used;
  long flushed_bytes;
} journal = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void flush_journal(void) {
  pthread_mutex_lock(&journal.lock);  // lockjaw: waits journal thread=writer
  journal.flushed_bytes += (long)journal.used;
  journal.used = 0;
  pthread_mutex_unlock(&journal.lock);
}

static void append(const char *entry) {
  size_t length = strlen(entry);
  pthread_mutex_lock(&journal.lock);  // lockjaw: holds journal thread=writer
  if (journal.used + length > sizeof journal.buffer) flush_journal();
  memcpy(journal.buffer + journal.used, entry, length);
  journal.used += length;
  pthread_mutex_unlock(&journal.lock);
}

static void *writer(void *unused) {
  pthread_setname_np(pthread_self(), "writer");
  for (int i = 0; i < 3; i++) append("opened;");
  return unused;
}

int main(void) {
  sample_begin();
  pthread_t thread;
  pthread_create(&thread, NULL, writer, NULL);
  sample_serve();
}
