// An importer that leaves through its error path with the table still locked, and ends. Two readers of the table were
// already waiting; nobody is left who could let them in.
//
// lockjaw: verdict=orphaned-lock certainty=proven threads=2 bystanders=0
#include "sample.h"

static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t table_is_taken;
static _Atomic pid_t exporter, auditor;
static int rows;

static bool parse(const char *record) { return strchr(record, '=') != NULL; }

static int import(const char *const *records, int count) {
  pthread_mutex_lock(&table);  // lockjaw: holds table thread=importer
  pthread_barrier_wait(&table_is_taken);
  for (int i = 0; i < count; i++) {
    if (!parse(records[i])) {
      sample_await_blocked(&exporter, &table, sizeof table);
      sample_await_blocked(&auditor, &table, sizeof table);
      return -1;  // The mistake: no unlock on this way out.
    }
    rows++;
  }
  pthread_mutex_unlock(&table);
  return 0;
}

static int count_rows(_Atomic pid_t *who) {
  pthread_barrier_wait(&table_is_taken);
  *who = gettid();
  pthread_mutex_lock(&table);  // lockjaw: waits table thread=exporter,auditor
  int count = rows;
  pthread_mutex_unlock(&table);
  return count;
}

static void *importing(void *unused) {
  (void)unused;
  static const char *const records[] = {"name=ann", "name=bea", "broken"};
  pthread_setname_np(pthread_self(), "importer");
  return (void *)(intptr_t)import(records, 3);
}

static void *reading(void *argument) {
  _Atomic pid_t *who = argument;
  pthread_setname_np(pthread_self(), who == &exporter ? "exporter" : "auditor");
  printf("%d rows\n", count_rows(who));
  return NULL;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&table_is_taken, NULL, 3);
  pthread_t threads[3];
  pthread_create(&threads[0], NULL, importing, NULL);
  pthread_create(&threads[1], NULL, reading, &exporter);
  pthread_create(&threads[2], NULL, reading, &auditor);
  sample_serve();
}
