// The bank of abba.c with a time limit on the second lock. Both transfers give up after half a second, start again,
// and meet again: a cycle that dissolves and comes back, so that the program works hard and gets nowhere.
//
// lockjaw: verdict=timed-cycle certainty=inferred|suspect threads=2
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
static pthread_barrier_t both_hold_one, both_gave_up;

static struct timespec half_a_second_from_now(void) {
  struct timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_nsec += 500000000;
  if (deadline.tv_nsec >= 1000000000) {
    deadline.tv_nsec -= 1000000000;
    deadline.tv_sec++;
  }
  return deadline;
}

static bool try_transfer(struct account *from, struct account *to, long cents) {
  pthread_mutex_lock(&from->lock);  // lockjaw: holds accounts[0],accounts[1] thread=alice,bob
  pthread_barrier_wait(&both_hold_one);
  struct timespec deadline = half_a_second_from_now();
  int error = pthread_mutex_timedlock(&to->lock, &deadline);  // lockjaw: waits accounts[1],accounts[0] thread=alice,bob
  if (error == 0) {
    from->cents -= cents;
    to->cents += cents;
    pthread_mutex_unlock(&to->lock);
  } else {
    // Whoever gives up first keeps what it has until the other one has given up too: nobody slips through.
    pthread_barrier_wait(&both_gave_up);
  }
  pthread_mutex_unlock(&from->lock);
  return error == 0;
}

static void *teller(void *argument) {
  struct order *order = argument;
  pthread_setname_np(pthread_self(), order->teller);
  while (!try_transfer(order->from, order->to, order->cents)) continue;
  return NULL;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&both_hold_one, NULL, 2);
  pthread_barrier_init(&both_gave_up, NULL, 2);
  struct order there = {"alice", &accounts[0], &accounts[1], 500};
  struct order back = {"bob", &accounts[1], &accounts[0], 700};
  pthread_t alice, bob;
  pthread_create(&alice, NULL, teller, &there);
  pthread_create(&bob, NULL, teller, &back);
  sample_serve();
}
