// A program that writes an entry into its journal and its ledger, each a stdio stream, and wants no other thread's line between the
// two. Half of its threads lock the streams in the other order. The locks are inside the C library, which no library in front of it
// sees taken or waited for.
//
// lockjaw: verdict=deadlock certainty=inferred threads=2 bystanders=0
#include "sample.h"

static FILE *journal, *ledger;
static pthread_barrier_t both_have_one;

struct writer {
  const char *name;
  FILE **first, **second;
};

static void write_entry(FILE *first, FILE *second) {
  flockfile(first);  // lockjaw: holds journal,ledger thread=alice,bob
  pthread_barrier_wait(&both_have_one);
  fputs("entry\n", second);  // lockjaw: waits ledger,journal thread=alice,bob
  funlockfile(first);
}

static void *run(void *argument) {
  struct writer *writer = argument;
  pthread_setname_np(pthread_self(), writer->name);
  write_entry(*writer->first, *writer->second);
  return NULL;
}

int main(void) {
  sample_begin();
  journal = fopen("/dev/null", "w");
  ledger = fopen("/dev/null", "w");
  pthread_barrier_init(&both_have_one, NULL, 2);
  static struct writer writers[2] = {{"alice", &journal, &ledger}, {"bob", &ledger, &journal}};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run, &writers[i]);
  sample_serve();
}
