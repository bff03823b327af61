// Code that a JIT compiler might make: it is in no file, and it waits. Its many pages take each other's place in
// whatever the shim remembers; that must not cost a reading of the maps for each wait.
#include "probe.h"

enum { PAGES = 300, ROUNDS = 20, PAGE = 4096 };

int main(void) {
  // sub $8,%rsp; call *%rsi; add $8,%rsp; ret
  static const unsigned char code[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd6, 0x48, 0x83, 0xc4, 0x08, 0xc3};
  unsigned char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED);
  for (int i = 0; i < PAGES; i++) memcpy(pages + i * PAGE, code, sizeof code);
  CHECK_EQUAL(mprotect(pages, PAGES * PAGE, PROT_READ | PROT_EXEC), 0);
  pthread_barrier_t barrier; // of one: every arrival is recorded as a wait, and none waits
  pthread_barrier_init(&barrier, NULL, 1);
  open_arena();
  uint64_t begun_ns = now_ns();
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < PAGES; i++) {
      int (*function)(pthread_barrier_t *, int (*)(pthread_barrier_t *)) = (void *)(pages + i * PAGE);
      CHECK_EQUAL(function(&barrier, pthread_barrier_wait), PTHREAD_BARRIER_SERIAL_THREAD);
    }
  CHECK_EQUAL(my_slot()->ring_head, PAGES * ROUNDS);
  unsigned long long tenths = (now_ns() - begun_ns) / 100000000u;
  printf("%u readings, %llu tenths of a second\n", arena->modules_generation, tenths);
  CHECK(arena->modules_generation >= 1 + 32);
  CHECK(arena->modules_generation <= 1 + 32 + tenths + 1);
  return done();
}
