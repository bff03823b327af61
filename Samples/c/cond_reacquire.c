// A warehouse. The packer holds the shelf and waits on the queue's condition. The clerk wakes it while holding the
// queue, and then wants the shelf. The packer, woken, must take the queue's mutex again before its wait returns: it
// stands inside pthread_cond_wait and waits for a mutex, not for a signal.
//
// lockjaw: verdict=deadlock certainty=proven threads=2 bystanders=0
#include "sample.h"

static pthread_mutex_t shelf = PTHREAD_MUTEX_INITIALIZER, queue = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t order_arrived = PTHREAD_COND_INITIALIZER;
static _Atomic pid_t packer_tid;
static int orders, packed, stock = 10;

static void pack_next(void) {
  pthread_mutex_lock(&shelf);  // lockjaw: holds shelf thread=packer
  pthread_mutex_lock(&queue);
  packer_tid = gettid();
  while (orders == 0)
    pthread_cond_wait(&order_arrived, &queue);  // lockjaw: waits queue thread=packer
  orders--;
  packed++;
  stock--;
  pthread_mutex_unlock(&queue);
  pthread_mutex_unlock(&shelf);
}

static void place_order(void) {
  pthread_mutex_lock(&queue);  // lockjaw: holds queue thread=clerk
  orders++;
  pthread_cond_signal(&order_arrived);
  sample_await_blocked(&packer_tid, &queue, sizeof queue);
  pthread_mutex_lock(&shelf);  // lockjaw: waits shelf thread=clerk
  stock--;
  pthread_mutex_unlock(&shelf);
  pthread_mutex_unlock(&queue);
}

static void *packer(void *unused) {
  pthread_setname_np(pthread_self(), "packer");
  pack_next();
  return unused;
}

static void *clerk(void *unused) {
  pthread_setname_np(pthread_self(), "clerk");
  sample_await_blocked(&packer_tid, &order_arrived, sizeof order_arrived);
  place_order();
  return unused;
}

int main(void) {
  sample_begin();
  pthread_t packing, ordering;
  pthread_create(&packing, NULL, packer, NULL);
  pthread_create(&ordering, NULL, clerk, NULL);
  sample_serve();
}
