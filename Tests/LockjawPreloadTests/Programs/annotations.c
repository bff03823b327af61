// lockjaw.h, from inside: what each call leaves in the arena, and that none of them costs or does anything without it.
#include "probe.h"

#include "lockjaw.h"

static int lock_a, lock_b, lock_c;

static const lj_names *names_of(const lj_slot *slot) {
  return slot->history.names_offset ? (const lj_names *)((const char *)arena + slot->history.names_offset) : NULL;
}
static const char *name_of(const void *lock) {
  const lj_names *unit = names_of(my_slot());
  for (;; unit = (const lj_names *)((const char *)arena + unit->next_offset)) {
    for (uint32_t i = 0; i < unit->count; i++)
      if (unit->names[i].object == (uint64_t)(uintptr_t)lock) return unit->names[i].text;
    if (!unit->next_offset) return NULL;
  }
}

IN_SECTION(take) void take(const void *lock) {
  lockjaw_acquired(lock);
  __asm__ volatile("");
}

static void locks(void) {
  const lj_slot *me = my_slot();
  uint32_t before = me->held_count;
  take(&lock_a);
  lockjaw_acquired_to_read(&lock_b);
  lockjaw_acquired_to_read(&lock_b);
  CHECK_EQUAL(me->held_count, before + 3);
  CHECK_EQUAL(find_held(me, &lock_a)->kind, LJ_KIND_CUSTOM);
  CHECK(IS_IN_SECTION(take, find_held(me, &lock_a)->site));
  CHECK_EQUAL(find_held(me, &lock_b)->mode, LJ_MODE_READ);
  lockjaw_releasing(&lock_a); // not the newest
  lockjaw_releasing(&lock_b);
  CHECK_EQUAL(holds(me, &lock_b), 1);
  lockjaw_releasing(&lock_b);
  lockjaw_releasing(&lock_c); // never taken
  CHECK_EQUAL(me->held_count, before);
}

static volatile int go;
static pthread_mutex_t inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

IN_SECTION(waits) void *wait_for_a(void *unused) {
  lockjaw_wait_begin_to_write(&lock_a);
  lockjaw_wait_begin_to_write(&lock_a); // said again
  // How it waits is its own business, locks of libc's included.
  pthread_mutex_lock(&inner);
  while (!go) pthread_cond_wait(&woken, &inner);
  pthread_mutex_unlock(&inner);
  lockjaw_acquired_to_write(&lock_a);
  const lj_slot *me = my_slot();
  CHECK(!is_waiting(me));
  CHECK_EQUAL(find_held(me, &lock_a)->flags & LJ_HELD_CONTENDED, LJ_HELD_CONTENDED);
  CHECK(find_held(me, &lock_a)->since_ns);
  lockjaw_releasing(&lock_a);
  return unused;
}

static bool is_in_futex_call(int tid) {
  char path[64], number[8] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  bool is_read = fscanf(file, "%7s", number) == 1; // "running", or the call's number
  fclose(file);
  return is_read && atoi(number) == SYS_futex;
}

static void waits(void) {
  worker w;
  start(&w, wait_for_a, NULL);
  EVENTUALLY(find_slot(w.tid) && waits_for(find_slot(w.tid), &lock_a));
  const lj_slot *slot = find_slot(w.tid);
  uint64_t seq = slot->wait.seq;
  CHECK_EQUAL(slot->wait.kind, LJ_KIND_CUSTOM);
  CHECK_EQUAL(slot->wait.mode, LJ_MODE_WRITE);
  CHECK(IS_IN_SECTION(waits, slot->wait.site) && IS_IN_SECTION(waits, slot->wait.context.ip));
  // Asleep in the condition: still this wait, and what it holds is believed.
  EVENTUALLY(is_in_futex_call(w.tid));
  EVENTUALLY(slot->interrupted == 0);
  CHECK_EQUAL(slot->wait.seq, seq);
  pthread_mutex_lock(&inner);
  go = 1;
  pthread_cond_broadcast(&woken);
  pthread_mutex_unlock(&inner);
  join(&w);

  const lj_slot *me = my_slot();
  lockjaw_wait_begin(&lock_b);
  CHECK(waits_for(me, &lock_b));
  lockjaw_wait_end(&lock_c); // another one's
  CHECK(waits_for(me, &lock_b));
  lockjaw_wait_end(&lock_b);
  CHECK(!is_waiting(me));
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_TIMEOUT);
}

// A function that forgets to say that it does not wait any more, and returns.
__attribute__((noinline)) static void forgets(void) {
  char room[512];
  __asm__ volatile("" : : "r"(room) : "memory");
  lockjaw_wait_begin(&lock_c);
  __asm__ volatile("" : : "r"(room) : "memory");
}
static void forgotten_waits(void) {
  forgets();
  pthread_mutex_lock(&inner);
  CHECK(!waits_for(my_slot(), &lock_c));
  CHECK_EQUAL(holds(my_slot(), &inner), 1);
  pthread_mutex_unlock(&inner);
}

static void names(void) {
  lockjaw_name(&lock_a, "first");
  lockjaw_name(&lock_a, "accounts");
  CHECK(!strcmp(name_of(&lock_a), "accounts"));
  // Cut at a character: 47 bytes end in the middle of the 16th of these.
  lockjaw_name(&lock_b, "€€€€€€€€€€€€€€€€€€€€");
  CHECK_EQUAL(strlen(name_of(&lock_b)), 45);
  static char many[300];
  for (int i = 0; i < 300; i++) lockjaw_name(&many[i], i % 2 ? "odd" : "even");
  CHECK(!strcmp(name_of(&many[299]), "odd") && !strcmp(name_of(&many[0]), "even"));
  lockjaw_name(&lock_c, NULL);
  CHECK(!name_of(&lock_c));
}

static void breadcrumbs(void) {
  const lj_breadcrumb *crumb = &my_slot()->breadcrumb;
  lockjaw_breadcrumb("record 4711");
  CHECK(!strcmp(crumb->text, "record 4711") && crumb->since_ns && crumb->sequence % 2 == 0);
  char text[300];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = 0;
  lockjaw_breadcrumb(text);
  CHECK_EQUAL(strlen(crumb->text), 111);
  lockjaw_breadcrumb(NULL);
  CHECK_EQUAL(crumb->text[0], 0);
}

static void *beat(void *name) {
  for (int i = 0; i < 1000; i++) lockjaw_heartbeat(name, 60000);
  return NULL;
}
static void heartbeats(void) {
  worker w[4];
  for (int i = 0; i < 4; i++) start(&w[i], beat, i % 2 ? "odd loop" : "even loop");
  for (int i = 0; i < 4; i++) join(&w[i]);
  uint64_t beats = 0;
  for (int i = 0; i < LJ_HEARTBEATS; i++) {
    if (arena->heartbeats[i].state != 2) continue;
    CHECK(!strcmp(arena->heartbeats[i].name, "odd loop") || !strcmp(arena->heartbeats[i].name, "even loop"));
    CHECK_EQUAL(arena->heartbeats[i].within_ms, 60000);
    beats += arena->heartbeats[i].beats;
  }
  CHECK_EQUAL(beats, 4000);
  for (char name[] = "a"; name[0] <= 'z'; name[0]++) lockjaw_heartbeat(name, 0);
  CHECK(arena->losses[LJ_LOSS_ANNOTATIONS] >= 26 - LJ_HEARTBEATS);
}

int main(int count, char **arguments) {
  (void)arguments;
  if (count > 1) { // without the library
    take(&lock_a);
    lockjaw_wait_begin(&lock_a);
    lockjaw_releasing(&lock_a);
    lockjaw_heartbeat("x", 1);
    lockjaw_breadcrumb("y");
    return done();
  }
  open_arena();
  locks();
  waits();
  forgotten_waits();
  names();
  breadcrumbs();
  heartbeats();
  return done();
}
