// A store whose pages carry a latch of their own, made of one futex word: no library sees who has it. lockjaw.h tells. Moving
// a record latches the page it leaves, then the one it goes to; two moves in opposite directions deadlock.
//
// lockjaw: verdict=deadlock certainty=inferred threads=2 bystanders=0
#include "sample.h"

#include <linux/futex.h>

#include "lockjaw.h"

struct page {
  _Atomic uint32_t latched;
  const char *name;
};

static struct page pages[2] = {{.name = "page 7"}, {.name = "page 9"}};
static pthread_barrier_t both_have_one;

static bool try_latch(struct page *page) {
  uint32_t free = 0;
  return atomic_compare_exchange_strong(&page->latched, &free, 1);
}

// A macro, so that the line it is used on is the line where the thread stands.
#define LATCH(page)                                                                          \
  do {                                                                                       \
    if (!try_latch(page)) {                                                                  \
      lockjaw_wait_begin(page);                                                              \
      while (!try_latch(page)) syscall(SYS_futex, &(page)->latched, FUTEX_WAIT, 1, NULL);    \
    }                                                                                        \
    lockjaw_acquired(page);                                                                  \
  } while (0)

static void unlatch(struct page *page) {
  lockjaw_releasing(page);
  page->latched = 0;
  syscall(SYS_futex, &page->latched, FUTEX_WAKE, 1);
}

static void move_record(struct page *from, struct page *to, int record) {
  char working_on[64];
  snprintf(working_on, sizeof working_on, "record %d", record);
  lockjaw_breadcrumb(working_on);
  LATCH(from);  // lockjaw: holds page7,page9 thread=compact,insert
  pthread_barrier_wait(&both_have_one);
  LATCH(to);  // lockjaw: waits page9,page7 thread=compact,insert
  unlatch(to);
  unlatch(from);
  lockjaw_breadcrumb(NULL);
}

static void *compact(void *unused) {
  pthread_setname_np(pthread_self(), "compact");
  move_record(&pages[0], &pages[1], 4711);
  return unused;
}

static void *insert(void *unused) {
  pthread_setname_np(pthread_self(), "insert");
  move_record(&pages[1], &pages[0], 4712);
  return unused;
}

int main(void) {
  sample_begin();
  for (int i = 0; i < 2; i++) lockjaw_name(&pages[i], pages[i].name);
  pthread_barrier_init(&both_have_one, NULL, 2);
  pthread_t threads[2];
  pthread_create(&threads[0], NULL, compact, NULL);
  pthread_create(&threads[1], NULL, insert, NULL);
  sample_serve();
}
