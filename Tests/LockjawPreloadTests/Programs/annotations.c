// lockjaw.h, from inside: what each call leaves in the arena, and that none of them costs or does anything without it.
#include "probe.h"

#include "lockjaw.h"

static int lock_a, lock_b, lock_c;

static const lj_names *names_of(const lj_slot *slot) {
  return slot->history.names_offset ? (const lj_names *)((const char *)arena + slot->history.names_offset) : NULL;
}
static const char *name_of(const void *lock) {
  const lj_names *unit = names_of(my_slot());
  for (; unit; unit = (const lj_names *)((const char *)arena + unit->next_offset)) {
    for (uint32_t i = 0; i < unit->count; i++)
      if (unit->names[i].object == (uint64_t)(uintptr_t)lock) return unit->names[i].text;
    if (!unit->next_offset) return NULL;
  }
  return NULL;
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

static worker holder;
static volatile int held_to_read, given_up;
static void *hold_to_read(void *unused) {
  lockjaw_acquired_to_read(&lock_b);
  held_to_read = 1;
  while (!given_up) sched_yield();
  lockjaw_acquired(&lock_a); // takes notice of what others have released
  CHECK(!find_held(my_slot(), &lock_b));
  lockjaw_releasing(&lock_a);
  return unused;
}
static void released_by_another(void) {
  start(&holder, hold_to_read, NULL);
  EVENTUALLY(held_to_read);
  uint64_t lost = arena->losses[LJ_LOSS_FOREIGN];
  CHECK_EQUAL(holds(find_slot(holder.tid), &lock_b), 1);
  lockjaw_releasing(&lock_b);
  CHECK_EQUAL(holds(find_slot(holder.tid), &lock_b), 0);
  CHECK_EQUAL(arena->losses[LJ_LOSS_FOREIGN], lost);
  given_up = 1;
  join(&holder);
}

static void no_locks(void) {
  const lj_slot *me = my_slot();
  uint32_t held = me->held_count;
  uint64_t lost = arena->losses[LJ_LOSS_FOREIGN];
  for (uintptr_t address = 0; address <= LJ_ANY_OBJECT; address++) {
    const void *nothing = (const void *)address;
    lockjaw_wait_begin(nothing);
    CHECK(!is_waiting(me));
    lockjaw_wait_end(nothing);
    lockjaw_acquired(nothing);
    CHECK_EQUAL(me->held_count, held);
    lockjaw_releasing(nothing);
    CHECK_EQUAL(arena->losses[LJ_LOSS_FOREIGN], lost);
    lockjaw_name(nothing, "nothing");
    CHECK(!name_of(nothing));
  }
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

static void too_many_names(void) {
  static char many[2000];
  uint64_t lost = arena->losses[LJ_LOSS_ANNOTATIONS];
  for (int i = 0; i < 2000; i++) lockjaw_name(&many[i], "one of many");
  CHECK(name_of(&many[0]) && !name_of(&many[1999]));
  uint64_t refused = arena->losses[LJ_LOSS_ANNOTATIONS] - lost;
  CHECK(refused >= 2000 - 8 * LJ_NAMES_PER_UNIT && refused < 2000);
  lockjaw_name(&many[0], "still named anew");
  CHECK(!strcmp(name_of(&many[0]), "still named anew"));
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

static lj_arena_header *writable_header(void) {
  char path[600];
  CHECK_EQUAL(count_arenas_of(getpid(), path, sizeof path), 1);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  void *mapped = mmap(NULL, sizeof(lj_arena_header), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  CHECK(mapped != MAP_FAILED);
  return mapped;
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
  int places = 0;
  for (int i = 0; i < LJ_HEARTBEATS; i++) {
    if (arena->heartbeats[i].state != LJ_HEARTBEAT_IN_USE) continue;
    places++;
    CHECK(!strcmp(arena->heartbeats[i].name, "odd loop") || !strcmp(arena->heartbeats[i].name, "even loop"));
    CHECK_EQUAL(arena->heartbeats[i].within_ms, 60000);
    beats += arena->heartbeats[i].beats;
  }
  CHECK_EQUAL(beats, 4000);
  CHECK_EQUAL(places, 2);
  // The 64th byte is in the middle of a character, which is cut away, and every beat finds its place all the same.
  for (int i = 0; i < 100; i++) lockjaw_heartbeat("x€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€", 0);
  CHECK_EQUAL(arena->heartbeats[2].beats, 100);
  CHECK_EQUAL(arena->heartbeats[3].state, 0);
  // A claim that somebody was kept from completing.
  lj_arena_header *writable = writable_header();
  writable->heartbeats[3].state = 1;
  for (int i = 0; i < 100; i++) lockjaw_heartbeat("behind it", 0);
  CHECK_EQUAL(arena->heartbeats[4].beats, 100);
  CHECK(!strcmp(arena->heartbeats[4].name, "behind it"));
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
  no_locks();
  locks();
  released_by_another();
  waits();
  forgotten_waits();
  names();
  too_many_names();
  breadcrumbs();
  heartbeats();
  return done();
}
