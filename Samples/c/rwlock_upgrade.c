// A cache that loads on a miss. Look-up takes the lock for reading and, on a miss, asks for writing without giving
// the read back. Two threads that miss together each wait for the other's read (and for their own) to end.
// The first of the two to ask is stuck already, by its own read: for an instant it is a self-deadlock.
//
// lockjaw: verdict=upgrade-deadlock grows-from=self-deadlock certainty=proven threads=2 bystanders=0
#include "sample.h"

enum { ENTRIES = 8 };

static struct {
  pthread_rwlock_t lock;
  int keys[ENTRIES], values[ENTRIES], count;
} cache = {.lock = PTHREAD_RWLOCK_INITIALIZER};
static pthread_barrier_t both_missed;

static int cached(int key) {
  for (int i = 0; i < cache.count; i++)
    if (cache.keys[i] == key) return cache.values[i];
  return -1;
}

static int look_up(int key) {
  pthread_rwlock_rdlock(&cache.lock);  // lockjaw: holds cache thread=get-7,get-9 mode=read
  int value = cached(key);
  if (value < 0) {
    pthread_barrier_wait(&both_missed);
    pthread_rwlock_wrlock(&cache.lock);  // lockjaw: waits cache thread=get-7,get-9 mode=write
    value = key * key;
    cache.keys[cache.count] = key;
    cache.values[cache.count++] = value;
    pthread_rwlock_unlock(&cache.lock);
  }
  pthread_rwlock_unlock(&cache.lock);
  return value;
}

static void *client(void *argument) {
  int key = (int)(intptr_t)argument;
  char name[16];
  snprintf(name, sizeof name, "get-%d", key);
  pthread_setname_np(pthread_self(), name);
  printf("%d\n", look_up(key));
  return NULL;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&both_missed, NULL, 2);
  pthread_t seven, nine;
  pthread_create(&seven, NULL, client, (void *)(intptr_t)7);
  pthread_create(&nine, NULL, client, (void *)(intptr_t)9);
  sample_serve();
}
