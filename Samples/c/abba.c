// A bank. A transfer locks the paying account, then the receiving one; two transfers in opposite directions at the
// same moment each hold what the other wants.
//
// lockjaw: verdict=deadlock certainty=proven threads=2 bystanders=0
#include "sample.h"

struct account {
  pthread_mutex_t lock;
  long cents;
};

struct order {
  const char *teller;
  struct account *from, *to;
  long cents;
};

static struct account accounts[2] = {{PTHREAD_MUTEX_INITIALIZER, 10000}, {PTHREAD_MUTEX_INITIALIZER, 10000}};
static pthread_barrier_t both_hold_one;

static void transfer(struct account *from, struct account *to, long cents) {
  pthread_mutex_lock(&from->lock);  // lockjaw: holds accounts[0],accounts[1] thread=alice,bob
  pthread_barrier_wait(&both_hold_one);
  pthread_mutex_lock(&to->lock);  // lockjaw: waits accounts[1],accounts[0] thread=alice,bob
  from->cents -= cents;
  to->cents += cents;
  pthread_mutex_unlock(&to->lock);
  pthread_mutex_unlock(&from->lock);
}

static void *teller(void *argument) {
  struct order *order = argument;
  pthread_setname_np(pthread_self(), order->teller);
  transfer(order->from, order->to, order->cents);
  return NULL;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&both_hold_one, NULL, 2);
  struct order there = {"alice", &accounts[0], &accounts[1], 500};
  struct order back = {"bob", &accounts[1], &accounts[0], 700};
  pthread_t alice, bob;
  pthread_create(&alice, NULL, teller, &there);
  pthread_create(&bob, NULL, teller, &back);
  sample_serve();
}
