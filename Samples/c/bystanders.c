// A bank where two transfers deadlock while four threads stand behind them: one wants a locked account, one wants the
// other and holds a third, one waits for that third, and the main thread joins a teller. All are stuck, none is a cause.
//
// lockjaw: verdict=deadlock certainty=proven threads=2 bystanders=4
#include "sample.h"

struct account {
  pthread_mutex_t lock;
  long cents;
};

static struct account accounts[3] = {
    {PTHREAD_MUTEX_INITIALIZER, 10000}, {PTHREAD_MUTEX_INITIALIZER, 10000}, {PTHREAD_MUTEX_INITIALIZER, 10000}};
static pthread_barrier_t accounts_are_locked;
static _Atomic pid_t statement_tid, fees_tid, fraud_tid, main_tid;

static void await_bystanders(void) {
  sample_await_blocked(&statement_tid, &accounts[0], sizeof accounts[0]);
  sample_await_blocked(&fees_tid, &accounts[1], sizeof accounts[1]);
  sample_await_blocked(&fraud_tid, &accounts[2], sizeof accounts[2]);
  sample_await_blocked(&main_tid, NULL, SIZE_MAX);  // A join sleeps on a word inside the C library's thread record.
}

static void transfer(struct account *from, struct account *to, long cents) {
  pthread_mutex_lock(&from->lock);  // lockjaw: holds accounts[0],accounts[1] thread=alice,bob
  pthread_barrier_wait(&accounts_are_locked);
  await_bystanders();  // So that the cycle closes last, with everyone else stuck already.
  pthread_mutex_lock(&to->lock);  // lockjaw: waits accounts[1],accounts[0] thread=alice,bob
  from->cents -= cents;
  to->cents += cents;
  pthread_mutex_unlock(&to->lock);
  pthread_mutex_unlock(&from->lock);
}

static void take_fee(struct account *from, struct account *bank) {
  pthread_mutex_lock(&from->lock);
  pthread_barrier_wait(&accounts_are_locked);
  fees_tid = gettid();
  pthread_mutex_lock(&bank->lock);  // lockjaw: bystander thread=fees
  from->cents--;
  bank->cents++;
  pthread_mutex_unlock(&bank->lock);
  pthread_mutex_unlock(&from->lock);
}

static long balance(struct account *account, _Atomic pid_t *own_tid) {
  pthread_barrier_wait(&accounts_are_locked);
  *own_tid = gettid();
  pthread_mutex_lock(&account->lock);  // lockjaw: bystander thread=statement,fraud
  long cents = account->cents;
  pthread_mutex_unlock(&account->lock);
  return cents;
}

static void *alice(void *unused) {
  pthread_setname_np(pthread_self(), "alice");
  transfer(&accounts[0], &accounts[1], 500);
  return unused;
}

static void *bob(void *unused) {
  pthread_setname_np(pthread_self(), "bob");
  transfer(&accounts[1], &accounts[0], 700);
  return unused;
}

static void *fees(void *unused) {
  pthread_setname_np(pthread_self(), "fees");
  take_fee(&accounts[2], &accounts[1]);
  return unused;
}

static void *statement(void *unused) {
  pthread_setname_np(pthread_self(), "statement");
  printf("%ld\n", balance(&accounts[0], &statement_tid));
  return unused;
}

static void *fraud(void *unused) {
  pthread_setname_np(pthread_self(), "fraud");
  printf("%ld\n", balance(&accounts[2], &fraud_tid));
  return unused;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&accounts_are_locked, NULL, 5);
  void *(*const bodies[])(void *) = {alice, bob, fees, statement, fraud};
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) pthread_create(&threads[i], NULL, bodies[i], NULL);
  main_tid = gettid();
  pthread_join(threads[0], NULL);  // lockjaw: bystander thread=main
  return 0;
}
