// The bank of abba.c with a gate: whoever transfers holds the counter lock first. Both lock orders happen, and cannot
// meet; a tool that calls this a deadlock is wrong.
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
static pthread_mutex_t counter = PTHREAD_MUTEX_INITIALIZER;

static void transfer(struct account *from, struct account *to, long cents) {
  pthread_mutex_lock(&counter);
  pthread_mutex_lock(&from->lock);
  pthread_mutex_lock(&to->lock);
  from->cents -= cents;
  to->cents += cents;
  pthread_mutex_unlock(&to->lock);
  pthread_mutex_unlock(&from->lock);
  pthread_mutex_unlock(&counter);
}

static void *teller(void *argument) {
  struct order *order = argument;
  pthread_setname_np(pthread_self(), order->teller);
  for (int i = 0; i < TRANSFERS; i++) transfer(order->from, order->to, 1);
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
