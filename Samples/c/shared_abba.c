// Two processes over one page of shared memory: each has locked one half of it and wants the other. Neither could find the
// cycle by looking at itself.
//
// lockjaw: verdict=deadlock certainty=inferred threads=2 bystanders=0 processes=2
#include "sample.h"

#include <sys/mman.h>

struct board {
  pthread_mutex_t queue;
  pthread_mutex_t index;
  pthread_barrier_t each_has_one;
};

static void fill(struct board *board) {
  pthread_mutex_lock(&board->queue);  // lockjaw: holds queue thread=producer
  pthread_barrier_wait(&board->each_has_one);
  pthread_mutex_lock(&board->index);  // lockjaw: waits index thread=producer
}

static void drain(struct board *board) {
  pthread_mutex_lock(&board->index);  // lockjaw: holds index thread=consumer
  pthread_barrier_wait(&board->each_has_one);
  pthread_mutex_lock(&board->queue);  // lockjaw: waits queue thread=consumer
}

static struct board *make_board(void) {
  struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (board == MAP_FAILED) exit(2);
  pthread_mutexattr_t shared;
  pthread_mutexattr_init(&shared);
  pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&board->queue, &shared);
  pthread_mutex_init(&board->index, &shared);
  pthread_barrierattr_t together;
  pthread_barrierattr_init(&together);
  pthread_barrierattr_setpshared(&together, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&board->each_has_one, &together, 2);
  return board;
}

int main(void) {
  sample_begin();
  struct board *board = make_board();
  if (fork() == 0) {
    sample_child();
    pthread_setname_np(pthread_self(), "consumer");
    drain(board);
    return 0;
  }
  pthread_setname_np(pthread_self(), "producer");
  fill(board);
  return 0;
}
