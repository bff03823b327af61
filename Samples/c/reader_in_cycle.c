// A shop: the catalogue behind a rwlock, the sales figures behind a mutex. Checkout reads the catalogue and then books
// the sale; the nightly reprice holds the figures and wants to write the catalogue. The read is one half of the cycle.
//
// lockjaw: verdict=deadlock certainty=proven threads=2 bystanders=0
#include "sample.h"

static pthread_rwlock_t catalogue = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t figures = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold_one;
static long price_cents = 1999, revenue_cents;

static void check_out(void) {
  pthread_rwlock_rdlock(&catalogue);  // lockjaw: holds catalogue thread=checkout mode=read
  pthread_barrier_wait(&both_hold_one);
  pthread_mutex_lock(&figures);  // lockjaw: waits figures thread=checkout mode=exclusive
  revenue_cents += price_cents;
  pthread_mutex_unlock(&figures);
  pthread_rwlock_unlock(&catalogue);
}

static void reprice(void) {
  pthread_mutex_lock(&figures);  // lockjaw: holds figures thread=reprice mode=exclusive
  pthread_barrier_wait(&both_hold_one);
  pthread_rwlock_wrlock(&catalogue);  // lockjaw: waits catalogue thread=reprice mode=write
  price_cents += revenue_cents > 1000000 ? 100 : -100;
  pthread_rwlock_unlock(&catalogue);
  pthread_mutex_unlock(&figures);
}

static void *customer(void *unused) {
  pthread_setname_np(pthread_self(), "checkout");
  check_out();
  return unused;
}

static void *night_job(void *unused) {
  pthread_setname_np(pthread_self(), "reprice");
  reprice();
  return unused;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&both_hold_one, NULL, 2);
  pthread_t selling, pricing;
  pthread_create(&selling, NULL, customer, NULL);
  pthread_create(&pricing, NULL, night_job, NULL);
  sample_serve();
}
