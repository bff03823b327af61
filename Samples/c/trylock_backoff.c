// The bank of abba.c done right: the second lock is only tried, and on failure the first is given back. Both lock
// orders happen, none waits while holding, and the program ends.
//
// lockjaw: verdict=healthy|contention ends=exit
#include "sample.h"

enum { TRANSFERS = 2000 };

struct account {
  pthread_mutex_t lock;
  long cents;
};

struct order {
  const char *teller;
  struct account *from, *to;
};

static struct account accounts[2] = {{PTHREAD_MUTEX_INITIALIZER, 10000}, {PTHREAD_MUTEX_INITIALIZER, 10000}};

static bool try_transfer(struct account *from, struct account *to, long cents) {
  pthread_mutex_lock(&from->lock);
  bool has_both = pthread_mutex_trylock(&to->lock) == 0;
  if (has_both) {
    from->cents -= cents;
    to->cents += cents;
    pthread_mutex_unlock(&to->lock);
  }
  pthread_mutex_unlock(&from->lock);
  return has_both;
}

static void *teller(void *argument) {
  struct order *order = argument;
  pthread_setname_np(pthread_self(), order->teller);
  for (int i = 0; i < TRANSFERS; i++)
    while (!try_transfer(order->from, order->to, 1)) sched_yield();
  return NULL;
}

int main(void) {
  sample_begin();
  struct order there = {"alice", &accounts[0], &accounts[1]};
  struct order back = {"bob", &accounts[1], &accounts[0]};
  pthread_t alice, bob;
  pthread_create(&alice, NULL, teller, &there);
  pthread_create(&bob, NULL, teller, &back);
  pthread_join(alice, NULL);
  pthread_join(bob, NULL);
  return accounts[0].cents == 10000 && accounts[1].cents == 10000 ? 0 : 1;
}
