// Before a wait for a mutex is recorded the shim looks for a moment whether it comes free, unless looking itself takes
// long. Both the processor's clock and the looks are this program's to see: it steps through the shim (trap flag) and
// stands in for each reading of the time-stamp counter, so that a look takes as long as it says.
#include "probe.h"

#include <dlfcn.h>
#include <link.h>
#include <ucontext.h>

enum { TRAP_FLAG = 0x100, NEAR_TICKS = 40, FAR_TICKS = 900, LOOKS = 8, FAR_FOR = 256 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const unsigned char *shim_begin, *shim_end;

static volatile uint64_t ticks;     // what the counter says
static volatile int ticks_per_read; // how much later it is at each reading
static volatile int looks;          // pauses of the shim since they were last counted
static volatile int free_at;        // the look at which the lock comes free; 0: never
static volatile int departures;     // how often the shim has called somebody else
static volatile bool is_in_shim;
static _Atomic int release_now, released;

static int find_shim(struct dl_phdr_info *object, size_t bytes, void *address) {
  (void)bytes;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    const unsigned char *begin = (const unsigned char *)object->dlpi_addr + part->p_vaddr;
    if (part->p_type != PT_LOAD || (const unsigned char *)address < begin ||
        (const unsigned char *)address >= begin + part->p_memsz)
      continue;
    shim_begin = begin;
    shim_end = begin + part->p_memsz;
    return 1;
  }
  return 0;
}

static bool is_rdtsc(const unsigned char *code) { return code[0] == 0x0F && code[1] == 0x31; }
static bool is_pause(const unsigned char *code) { return code[0] == 0xF3 && code[1] == 0x90; }

// Runs between any two instructions; the registers say which is next.
static void step(int signal, siginfo_t *about, void *context) {
  (void)signal, (void)about;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  for (;;) {
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    if (code < shim_begin || code >= shim_end) {
      // First the real try. What the second time leaves the shim has done with looking: it tries again, or sleeps.
      if (is_in_shim && ++departures == 2) registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
      is_in_shim = false;
      return;
    }
    is_in_shim = true;
    if (is_pause(code)) {
      if (++looks != free_at) return;
      __atomic_store_n(&release_now, 1, __ATOMIC_RELEASE);
      while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE)) sched_yield();
      return;
    }
    if (!is_rdtsc(code)) return;
    ticks += (uint64_t)ticks_per_read;
    registers[REG_RAX] = (greg_t)(uint32_t)ticks;
    registers[REG_RDX] = (greg_t)(ticks >> 32);
    registers[REG_RIP] += 2; // and look at the next one, which nobody traps before
  }
}

static void begin_steps(void) { __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG); }
static void end_steps(void) { __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(uint64_t)TRAP_FLAG); }

// Meets a lock that somebody has, and gives up at once if it sleeps.
static int acquire(void) {
  static const struct timespec long_ago = {.tv_sec = 1};
  return pthread_mutex_timedlock(&mutex, &long_ago);
}
// The same, watched. Returns how often it looked.
static int looks_of_one_acquire(int ticks_of_a_look, int expected) {
  looks = 0;
  departures = 0;
  is_in_shim = false;
  ticks_per_read = ticks_of_a_look;
  begin_steps();
  int result = acquire();
  end_steps();
  CHECK_EQUAL(departures, 2);
  CHECK_EQUAL(result, expected);
  return looks;
}

static void *hold_until_told(void *unused) {
  pthread_mutex_lock(&mutex);
  __atomic_store_n(&released, 0, __ATOMIC_RELEASE);
  while (!__atomic_load_n(&release_now, __ATOMIC_ACQUIRE)) sched_yield();
  pthread_mutex_unlock(&mutex);
  __atomic_store_n(&released, 1, __ATOMIC_RELEASE);
  return unused;
}

// Whoever finds the lock free has not waited, and nothing says that it has.
static void it_comes_free_at(int look) {
  worker w;
  __atomic_store_n(&released, 1, __ATOMIC_RELEASE);
  __atomic_store_n(&release_now, 0, __ATOMIC_RELEASE);
  start(&w, hold_until_told, NULL);
  EVENTUALLY(!__atomic_load_n(&released, __ATOMIC_ACQUIRE));
  uint64_t waits = my_slot()->ring_head, contended = my_slot()->acquisitions_contended;
  free_at = look;
  CHECK_EQUAL(looks_of_one_acquire(NEAR_TICKS, 0), look);
  free_at = 0;
  CHECK_EQUAL(my_slot()->ring_head, waits);
  CHECK_EQUAL(my_slot()->acquisitions_contended, contended);
  CHECK_EQUAL(find_held(my_slot(), &mutex)->flags, 0);
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
  join(&w);
}

static void *look_nearby(void *unused) {
  CHECK_EQUAL(pthread_mutex_trylock(&mutex), EBUSY); // has its slot, so that the next one does nothing but lock
  CHECK_EQUAL(looks_of_one_acquire(NEAR_TICKS, ETIMEDOUT), LOOKS);
  return unused;
}

static void looks_end_and_begin_again(void) {
  CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
  for (int i = 0; i < 5; i++) CHECK_EQUAL(looks_of_one_acquire(NEAR_TICKS, ETIMEDOUT), LOOKS);
  for (int round = 0; round < 2; round++) {
    CHECK_EQUAL(looks_of_one_acquire(FAR_TICKS, ETIMEDOUT), LOOKS); // one is enough
    uint64_t waits = my_slot()->ring_head;
    for (int i = 0; i < FAR_FOR; i++) {
      // A step is a signal, and on some virtual machines as slow as 0.1 ms: not each of them is watched.
      if (i % 32 < 2 || i > FAR_FOR - 3) CHECK_EQUAL(looks_of_one_acquire(i & 1 ? FAR_TICKS : NEAR_TICKS, ETIMEDOUT), 0);
      else CHECK_EQUAL(acquire(), ETIMEDOUT);
      if (i != FAR_FOR / 2) continue;
      worker other; // another thread has its own
      start(&other, look_nearby, NULL);
      join(&other);
      waits++; // that join was a wait
    }
    CHECK_EQUAL(my_slot()->ring_head, waits + FAR_FOR); // each was recorded none the less
    CHECK_EQUAL(looks_of_one_acquire(NEAR_TICKS, ETIMEDOUT), LOOKS);
    CHECK_EQUAL(looks_of_one_acquire(NEAR_TICKS, ETIMEDOUT), LOOKS);
  }
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
}

int main(void) {
  CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
  open_arena();
  CHECK(dl_iterate_phdr(find_shim, dlsym(RTLD_DEFAULT, "pthread_mutex_timedlock")));
  ticks = __builtin_ia32_rdtsc();
  struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, NULL);
  it_comes_free_at(1);
  it_comes_free_at(LOOKS);
  looks_end_and_begin_again();
  return done();
}
