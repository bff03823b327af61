// Two partners hand a ball to and fro through futexes of their own; a third waits for a game that never begins. Asked one
// after the other, all of them may be asleep at the moment they are asked, and yet nobody is stuck.
//
// lockjaw: verdict=healthy|contention|idle ends=exit
#include <linux/futex.h>

#include "sample.h"

enum { MILLISECONDS = 3000 };

static _Atomic int ball_left = 1, ball_right, game;
static _Atomic bool over;

static void take(_Atomic int *word) {
  while (atomic_exchange(word, 0) == 0) syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void hand(_Atomic int *word) {
  atomic_store(word, 1);
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *left(void *unused) {
  (void)unused;
  while (!over) {
    take(&ball_left);
    hand(&ball_right);
  }
  return NULL;
}

static void *right(void *unused) {
  (void)unused;
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    take(&ball_right);
    clock_gettime(CLOCK_MONOTONIC, &now);
    over = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 >= MILLISECONDS;
    hand(&ball_left);
  } while (!over);
  return NULL;
}

static void *substitute(void *unused) {
  (void)unused;
  take(&game);
  return NULL;
}

int main(void) {
  sample_begin();
  pthread_t players[2], waiting;
  pthread_create(&waiting, NULL, substitute, NULL);
  pthread_create(&players[0], NULL, left, NULL);
  pthread_create(&players[1], NULL, right, NULL);
  for (int i = 0; i < 2; i++) pthread_join(players[i], NULL);
  hand(&game);
  pthread_join(waiting, NULL);
  return 0;
}
