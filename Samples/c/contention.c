// Four tills on one ledger: much waiting, no hang. The program ends and its sum is right.
//
// lockjaw: verdict=healthy|contention ends=exit
#include "sample.h"

enum { TILLS = 4, SALES = 20000 };

static struct {
  pthread_mutex_t lock;
  long cents;
  unsigned checksum;
} ledger = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void book(long cents) {
  pthread_mutex_lock(&ledger.lock);
  ledger.cents += cents;
  for (int round = 0; round < 50; round++) ledger.checksum = ledger.checksum * 31 + (unsigned)cents;
  pthread_mutex_unlock(&ledger.lock);
}

static void *till(void *argument) {
  char name[16];
  snprintf(name, sizeof name, "till-%d", (int)(intptr_t)argument);
  pthread_setname_np(pthread_self(), name);
  for (int sale = 0; sale < SALES; sale++) book(1);
  return NULL;
}

int main(void) {
  sample_begin();
  pthread_t tills[TILLS];
  for (int i = 0; i < TILLS; i++) pthread_create(&tills[i], NULL, till, (void *)(intptr_t)i);
  for (int i = 0; i < TILLS; i++) pthread_join(tills[i], NULL);
  return ledger.cents == (long)TILLS * SALES ? 0 : 1;
}
