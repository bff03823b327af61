// The arena: one process image's locks, in a file that outlives the process.
//
// This header is the only definition of the format. The shim writes through it, the reader reads through it,
// and every offset is asserted (lockjaw_arena_layout.h), so that a change that moves a field does not compile.
//
//   offset 0            +--------------------------------------------------+
//                       | lj_arena_header        one page, written by the  |
//                       |                        shim only                 |
//   LJ_COLLECTOR_OFFSET +--------------------------------------------------+
//                       | lj_collector_page      one page, the only bytes  |
//                       |                        a collector ever writes   |
//   modules_offset      +--------------------------------------------------+
//                       | lj_module[module_capacity]                       |
//   slots_offset        +--------------------------------------------------+
//                       | lj_slot[slot_capacity]  8 KiB = two pages each   |
//                       |   page 0: identity, wait, held entries, permits  |
//                       |   page 1: history ring, copy of the stack's top  |
//   extents_offset      +--------------------------------------------------+
//                       | lj_extent[extent_capacity]  held entries beyond  |
//                       |                        the 48 inside a slot      |
//   history_offset      +--------------------------------------------------+
//                       | units of LJ_HISTORY_UNIT bytes: rings of         |
//                       | lj_operation and tables of call sites, each      |
//                       | named by the slot it belongs to (lj_history)     |
//   file_bytes          +--------------------------------------------------+
//
// The file is sparse. A page holds data only below `module_count`, `slot_count` and `extent_count`, or where a slot's
// `history` says; the shim
// allocates a page (MADV_POPULATE_WRITE or fallocate) before it publishes the count that covers it, so a full
// file system costs events and never a SIGBUS. A reader that goes past the counts would itself allocate pages.
//
// Who writes what, and why a reader may believe it
//   * A slot is written by its own thread. Two things in it are not: `foreign` (see lj_foreign) and `phase`
//     when a dead thread's slot is swept.
//   * `wait.seq` is odd while the thread waits. A waiting thread changes nothing else in its slot, so a reader
//     that sees the same odd value before and after it read the slot has read the truth, unless
//     `interrupted` is set: then a signal handler locked inside the wait.
//   * Writers: fields, then `seq` odd (release). At the end: `seq` even, then a release fence, then anything else.
//     Readers: `seq` (acquire), fields, acquire fence, `seq` again.
//   * `count` fields in the header are published with release after what they cover has been written.
//
// Levels. `lj_collector_page.level` says what every thread records from its next operation on; shim and collector both
// write it. `state`: slots only. `sites`: every operation is also counted in its thread's tables. `all`: and written into
// its thread's ring with a time stamp. Counts and rings belong to the slot: a thread that gets a used slot goes on with
// them, so that nothing is lost when threads end (LJ_OP_THREAD_BEGIN tells their operations apart).
//
// Time is CLOCK_MONOTONIC in nanoseconds wherever a name ends in `_ns`, as it is outside of any time namespace. Zero means "not known". Where it ends in `_ticks`
// it is the time-stamp counter or CLOCK_MONOTONIC, as `tick_source` says; LJ_OP_CLOCK operations and the header's own
// pair say which tick was which nanosecond.
// Integers are little endian; pointers of the target are 64-bit addresses. A 32-bit target is not served.
#ifndef LOCKJAW_ARENA_H
#define LOCKJAW_ARENA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LJ_ARENA_MAGIC 0x314E4552414A4CULL /* "LJAREN1\0" read as little endian */

enum {
  LJ_ABI_VERSION = 3,
  LJ_PAGE = 4096,
  LJ_COLLECTOR_OFFSET = 4096,
  LJ_MODULES_OFFSET = 8192,
  LJ_MODULE_CAPACITY = 2048,
  LJ_SLOT_CAPACITY_MAX = 65536,
  LJ_EXTENT_CAPACITY_MAX = 8192,
  LJ_HELD_INLINE = 48,
  LJ_HELD_PER_EXTENT = 63,
  LJ_CALLERS = 4,
  LJ_FOREIGN = 4,
  LJ_PERMITS = 8,
  LJ_POSTS = 8,
  LJ_RING_INLINE = 40,
  LJ_STACK_BYTES = 2048,
  LJ_NO_EXTENT = 0, /* extent links are index + 1 */
  LJ_HISTORY_UNIT = 8192,
  LJ_HISTORY_UNITS_MAX = 262144, /* 2 GiB of the file's length */
  LJ_SITE_TABLES = 9,   /* the last one is for LJ_ANY_OBJECT alone */
  LJ_HEARTBEATS = 16,
  LJ_NAMES_PER_UNIT = 127,
  LJ_RING_SMALLEST = 256,   /* operations */
  LJ_RING_LARGEST = 131072,
};

// What kind of object a wait or a held entry is about.
enum {
  LJ_KIND_NONE = 0,
  LJ_KIND_MUTEX = 1,     // pthread_mutex_t, also under C11 mtx_t and std::mutex
  LJ_KIND_RWLOCK = 2,    // pthread_rwlock_t
  LJ_KIND_SPIN = 3,      // pthread_spinlock_t
  LJ_KIND_COND = 4,      // pthread_cond_t; `object2` is the mutex it was called with
  LJ_KIND_SEM = 5,       // sem_t
  LJ_KIND_BARRIER = 6,   // pthread_barrier_t
  LJ_KIND_JOIN = 7,      // `object` is the joined pthread_t, `object2` its tid or 0
  LJ_KIND_FUTEX = 8,     // FUTEX_WAIT or futex_waitv through libc's syscall(); `object` is the (first) word
  LJ_KIND_PI_FUTEX = 9,  // FUTEX_LOCK_PI through libc's syscall(): the word names its owner
  LJ_KIND_ONCE = 10,     // pthread_once_t
  LJ_KIND_CXX_GUARD = 11, // __cxa_guard_*: the initialisation of a C++ static
  LJ_KIND_CUSTOM = 12,    // a lock of the program's own, told through lockjaw.h
  LJ_KIND_COUNT = 13,
};

enum {
  LJ_MODE_EXCLUSIVE = 0,
  LJ_MODE_READ = 1,
  LJ_MODE_WRITE = 2,
  LJ_MODE_SIGNAL = 3,  // waits that anyone may end: cond, barrier, futex, join
};

// How a finished wait ended; IN_PROGRESS is what a wait that never ended leaves behind.
enum {
  LJ_OUTCOME_IN_PROGRESS = 0,
  LJ_OUTCOME_ACQUIRED = 1,
  LJ_OUTCOME_TIMEOUT = 2,
  LJ_OUTCOME_INTERRUPTED = 3,  // EINTR
  LJ_OUTCOME_DEADLOCK = 4,     // EDEADLK: the library or the kernel refused the wait
  LJ_OUTCOME_ERROR = 5,
  LJ_OUTCOME_CANCELLED = 6,    // cancellation or longjmp out of the wait
  LJ_OUTCOME_OWNER_DIED = 7,   // EOWNERDEAD: acquired from a dead owner
};

enum {
  LJ_PHASE_FREE = 0,
  LJ_PHASE_CLAIMING = 1,
  LJ_PHASE_LIVE = 2,
  LJ_PHASE_EXITED_HOLDING = 3,  // the thread is gone, its held entries are evidence
};

// State of the image that owns the arena.
enum {
  LJ_IMAGE_STARTING = 0,
  LJ_IMAGE_LIVE = 1,
  LJ_IMAGE_EXITED = 2,    // exit() or _exit() was reached
  LJ_IMAGE_DISABLED = 3,  // forwards only; `reason` says why
};

// Why the shim makes no system call any more. Whoever has a slot goes on recording.
enum {
  LJ_QUIET_NONE = 0,
  LJ_QUIET_SECCOMP_STRICT = 1,
  LJ_QUIET_SECCOMP_FILTER = 2,
};

// Every event that is not in the arena is counted here, by cause.
enum {
  LJ_LOSS_NO_SLOT = 0,       // operations of threads for which no slot could be had
  LJ_LOSS_HELD_OVERFLOW = 1, // a held entry found no place: that slot's list is incomplete
  LJ_LOSS_REENTRANT = 2,     // operation inside the shim's own set-up of the same thread
  LJ_LOSS_FOREIGN = 3,       // release by another thread that could not be attributed
  LJ_LOSS_MODULES = 4,       // modules that found no place in the list
  LJ_LOSS_EARLY = 5,         // before the shim was set up
  LJ_LOSS_LATE = 6,          // after the thread's slot had been given back
  LJ_LOSS_PERMIT = 7,        // semaphore permit pushed out of the slot's table
  LJ_LOSS_NO_MEMORY = 8,     // a page of the arena could not be allocated
  LJ_LOSS_UNCOUNTED = 9,     // operations that found no place in their thread's tables of sites
  LJ_LOSS_NO_RING = 10,      // operations at level `all` of threads for which no ring could be had
  LJ_LOSS_ANNOTATIONS = 11,  // names, breadcrumbs or heartbeats of lockjaw.h that found no place
  LJ_LOSS_COUNT = 16,
};

enum {
  LJ_LEVEL_STATE = 0,
  LJ_LEVEL_SITES = 1,
  LJ_LEVEL_ALL = 2,
};

// Wake classes: which beginning waits ring the collector's bell.
enum {
  LJ_WAKE_LOCKS = 1, // waits that can close a cycle: mutex, rwlock, spin, sem, join, once, PI futex
  LJ_WAKE_SOFT = 2,  // waits that anyone can end: cond, barrier, futex
  LJ_WAKE_SIGNAL = 4, // the watchdog signal arrived (`report_requests` was bumped)
};

// What an operation in a ring was.
enum {
  LJ_OP_NONE = 0,
  LJ_OP_ACQUIRE = 1,       // it has the lock; `detail` is LJ_HELD_*
  LJ_OP_RELEASE = 2,       // about to give it up, so that no other thread's acquire comes before this
  LJ_OP_RELEASE_FAILED = 3, // the release just before was refused: it still has the lock
  LJ_OP_TRY_FAILED = 4,    // a try variant found it taken
  LJ_OP_WAIT_BEGIN = 5,    // about to wait
  LJ_OP_WAIT_END = 6,      // `detail` is LJ_OUTCOME_*
  LJ_OP_SIGNAL = 7,        // condition signalled, futex woken
  LJ_OP_BROADCAST = 8,
  LJ_OP_INIT = 9,          // the object was initialised here
  LJ_OP_DESTROY = 10,
  LJ_OP_THREAD_BEGIN = 11, // `object` is the tid that has the slot from here on, `site` the one that had it before
  LJ_OP_THREAD_END = 12,   // `object` is the tid
  LJ_OP_CLOCK = 13,        // `object` is CLOCK_MONOTONIC in nanoseconds at `ticks`
  LJ_OP_COUNT = 14,
};

// `lj_operation.mode` is LJ_MODE_* and this: the process is in a sandbox, `ticks` only orders.
enum { LJ_OP_UNTIMED = 0x80 };

enum {
  LJ_TICKS_UNDECIDED = 0, // nothing with ticks has been recorded
  LJ_TICKS_MONOTONIC = 1, // ticks are nanoseconds: this machine's time-stamp counter is not constant
  LJ_TICKS_TSC = 2,
};

enum {
  LJ_RING_OVERWRITE = 0, // the oldest goes
  LJ_RING_STOP = 1,      // the newest is not written
};

// What a row of a site table counts.
enum {
  LJ_COUNT_USE = 0,  // operations on `object` from `site`
  LJ_COUNT_INIT = 1, // initialisations of `object` at `site`: the lock's class
};

// In place of an address in a full table: any object that found no row of its own.
#define LJ_ANY_OBJECT 1

enum {
  LJ_HELD_CONTENDED = 1, // acquired after a recorded wait; `since_ns` is set
  LJ_HELD_TRY = 2,       // acquired by a try variant
  LJ_HELD_RELOCKED = 4,  // re-acquired inside pthread_cond_wait
  LJ_HELD_SAMPLED = 8,   // levels above `state`: an uncontended acquire whose `since_ns` is set, to time its hold
};

enum { LJ_HEARTBEAT_IN_USE = 2 };

// A loop of the program's that says regularly that it is alive (lockjaw.h), from whichever thread. Written by the
// program's threads with relaxed stores; `state` is set last, once.
typedef struct lj_heartbeat {
  uint32_t state;     // 0 free; LJ_HEARTBEAT_IN_USE: `name` is complete; else being claimed (the shim's own use)
  uint32_t within_ms; // the next one comes within this time; 0: no more are expected
  uint64_t last_ns;
  uint64_t beats;
  uint32_t tid;       // of the last
  uint32_t pad;
  char name[64];
} lj_heartbeat;

typedef struct lj_arena_header {
  uint64_t magic;
  uint32_t version;
  uint32_t header_bytes;
  uint32_t slot_bytes;
  uint32_t held_bytes;
  uint32_t event_bytes;
  uint32_t module_bytes;
  uint64_t file_bytes;
  uint64_t modules_offset;
  uint64_t slots_offset;
  uint64_t extents_offset;
  uint32_t module_capacity;
  uint32_t slot_capacity;
  uint32_t extent_capacity;
  uint32_t image_state;     // LJ_IMAGE_*
  uint32_t module_count;    // published: modules [0, count) are written
  uint32_t slot_count;      // published: slots [0, count) have their pages
  uint32_t extent_count;
  uint32_t level;           // LJ_LEVEL_* that the program was started with; lj_collector_page.level is in force
  uint32_t pid;             // in the target's own pid namespace
  uint32_t parent_pid;
  uint32_t uid;
  uint32_t image_number;    // 0 for the first image of this pid; counts exec
  uint64_t start_ticks;     // field 22 of /proc/self/stat: with pid, the process' identity
  uint8_t boot_id[16];
  uint64_t created_ns;
  uint64_t created_realtime_ns;
  uint64_t tsc_at_creation; // time-stamp counter at created_ns; 0: not known
  uint32_t tick_source;     // LJ_TICKS_*, decided before the first tick is recorded
  uint32_t clock;           // of every `_ns`: CLOCK_MONOTONIC = 1
  uint32_t report_requests; // bumped by the watchdog signal's handler
  uint32_t modules_generation; // bumped whenever the module list is read anew
  uint32_t foreign_releases;   // releases by a thread that did not hold the lock
  uint32_t exit_code;          // valid with LJ_IMAGE_EXITED
  uint64_t shim_base;          // load address of liblockjaw.so
  uint64_t losses[LJ_LOSS_COUNT];
  char session[32];     // LOCKJAW_SESSION of `lockjaw run`, so that it finds its own children
  char reason[192];     // LJ_IMAGE_DISABLED: why, a sentence
  char executable[512]; // as /proc/self/exe names it
  char command[1024];   // arguments, joined by spaces, cut at the end
  uint32_t quiet_reason; // LJ_QUIET_*: in a sandbox; new threads get no slot, no bell rings, the file outlives exit()
  uint32_t ring_operations;  // capacity of new rings: a power of two
  uint64_t history_offset;
  uint32_t history_capacity; // in units; 0: this arena records at level `state` only
  uint32_t history_units;    // units ever handed out
  uint32_t ring_mode;        // LJ_RING_*
  uint32_t pad_history;
  lj_heartbeat heartbeats[LJ_HEARTBEATS];
} lj_arena_header;

typedef struct lj_collector_page {
  uint32_t bell;       // futex word: bumped and woken by a beginning wait
  uint32_t wake_mask;  // LJ_WAKE_* the collector sleeps for; 0 while it is awake. Cleared by whoever rings.
  uint32_t collector_pid;
  uint32_t reports_done; // report_requests the collector has served
  uint64_t collector_start_ticks;
  uint64_t last_pass_ns;
  uint32_t level; // LJ_LEVEL_* in force, set by the shim at first and by a collector later; above LJ_LEVEL_ALL: as that
  uint32_t pad;
} lj_collector_page;

typedef struct lj_module {
  uint64_t start;        // lowest mapped address of the file
  uint64_t end;          // one past its highest
  uint64_t text_start;   // its first executable mapping
  uint64_t text_end;
  uint64_t text_offset;  // file offset of text_start
  uint64_t inode;
  uint32_t device_major;
  uint32_t device_minor;
  uint32_t build_id_bytes; // 0: none found
  uint32_t path_truncated; // 1: `path` lacks its end
  uint8_t build_id[32];
  char path[416];
} lj_module;

typedef struct lj_held {
  uint64_t object;
  uint64_t site;          // return address of the call that acquired it
  uint32_t count;         // recursion depth, ≥ 1
  uint8_t kind;           // LJ_KIND_*
  uint8_t mode;           // LJ_MODE_*
  uint8_t caller_count;   // of `callers`
  uint8_t flags;          // LJ_HELD_*
  uint64_t since_ns;      // when it was acquired; known if LJ_HELD_CONTENDED, _SAMPLED or _RELOCKED, else 0
  uint64_t callers[LJ_CALLERS]; // return addresses above `site` by frame pointers, unverified: only code
                                // that keeps frame pointers (-O0) has them, and there the site is a wrapper
} lj_held;

// Registers inside the shim's own frame, which stays live for as long as the wait does. Unwinding starts here
// and crosses the shim by its CFI like any other frame.
typedef struct lj_context {
  uint64_t ip;
  uint64_t sp;
  uint64_t bp;
  uint64_t bx;
  uint64_t r12;
  uint64_t r13;
  uint64_t r14;
  uint64_t r15;
} lj_context;

typedef struct lj_wait {
  uint64_t seq;          // odd: waiting
  uint64_t object;
  uint64_t object2;      // see LJ_KIND_COND, LJ_KIND_JOIN
  uint64_t site;
  uint64_t since_ns;
  uint64_t deadline_ns;  // CLOCK_MONOTONIC; 0: waits without limit
  uint32_t futex_op;     // LJ_KIND_FUTEX and LJ_KIND_PI_FUTEX: the operation as called
  uint32_t futex_value;  // a futex: the value the waiter expected; an rwlock: glibc's kind, 2 prefers writers
  uint32_t owner_tid;    // owner field of the mutex when the wait began, 0 if there was none
  uint8_t kind;
  uint8_t mode;
  uint8_t pad[2];
  lj_context context;
  uint32_t stack_bytes;  // bytes copied from context.sp upwards into lj_slot.stack
  uint32_t depth;        // >1: waits inside signal handlers inside a wait
  uint64_t event;        // this wait's number in the history: its entry is ring[event % ring_capacity]
  uint64_t held_mark;    // held_count when the wait began: entries below it are frozen (shim's own use)
  uint64_t frame;        // the wait's record in the waiter's stack, 0: a custom lock's has none (shim's own use)
  uint64_t reserved[4];
} lj_wait;

typedef struct lj_event {
  uint64_t begin_ns;
  uint64_t duration_ns;  // 0 while IN_PROGRESS
  uint64_t object;
  uint64_t object2;
  uint64_t site;
  uint32_t owner_tid;
  uint8_t kind;
  uint8_t mode;
  uint8_t outcome;       // LJ_OUTCOME_*
  uint8_t pad;
} lj_event;

// A release by a thread that does not hold the lock is written into the holder's slot by the releasing thread
// (compare-and-swap of `object` from 0, then `count`), and taken out by the holder at its next operation. Until
// then a reader subtracts it.
typedef struct lj_foreign {
  uint64_t object;
  uint32_t count;
  uint32_t by_tid;
} lj_foreign;

// A semaphore permit taken and not posted by this thread. Evidence, not state: anyone may post.
typedef struct lj_permit {
  uint64_t object;
  uint64_t site;
  uint64_t taken_ticks; // TSC, for order only
  uint32_t count;
  uint32_t pad;
} lj_permit;

// A post by a thread that held no permit: such a semaphore is a signal, not a lock.
typedef struct lj_post {
  uint64_t object;
  uint64_t posted_ticks;
} lj_post;

// One operation at level `all`. A thread takes the next number from its slot's `operations_head`, fills the place
// number % capacity, `stamp` last. A reader that has copied a place believes it if `stamp` is what that number gives and
// `operations_head`, read after the copy, shows that nobody has begun to write over it.
typedef struct lj_operation {
  uint64_t ticks;
  uint64_t object;
  uint64_t site;    // return address of the call; 0: not known
  uint32_t stamp;   // the low half of number + 1
  uint8_t operation; // LJ_OP_*
  uint8_t kind;     // LJ_KIND_*
  uint8_t mode;     // LJ_MODE_*, LJ_OP_UNTIMED
  uint8_t detail;
} lj_operation;

// What one thread did to one lock from one call site. Counts are exact from the moment the level was raised on; each
// is written by the slot's thread alone. What every acquire touches is half a cache line; the rest is lj_site_times.
typedef struct lj_site_count {
  uint64_t object;       // 0: free; LJ_ANY_OBJECT
  uint64_t site;         // set last, once; a row without it is not complete
  uint64_t operations;   // LJ_COUNT_USE: acquires, recursive ones included, or posts and signals; LJ_COUNT_INIT: inits
  uint8_t kind;          // LJ_KIND_*
  uint8_t mode;          // LJ_MODE_* of the first
  uint8_t counts;        // LJ_COUNT_*
  uint8_t caller_count;  // of lj_site_times.callers
  uint32_t place;        // where this row is (shim's own use)
} lj_site_count;

// What is rarer, of the row of the same number.
typedef struct lj_site_times {
  uint64_t holds_timed;  // uncontended acquires whose hold was timed, chosen at random: about one in 64
  uint64_t hold_ns;      // sum over those
  uint64_t hold_ns_max;
  uint64_t waits;        // ended waits, however they ended
  uint64_t wait_ns;      // sum over all of them
  uint64_t wait_ns_max;
  uint64_t failures;     // tries that found it taken; waits that ended without it
  uint64_t contended_holds; // acquires after a wait whose hold has ended; each is timed
  uint64_t contended_hold_ns;
  uint64_t seen_ticks;   // LJ_COUNT_USE: of the first; LJ_COUNT_INIT: of the latest
  uint64_t callers[2];   // as in lj_held, of the first
} lj_site_times;

// A table of sites is lj_site_count[rows], then lj_site_times[rows], then the shim's own index, which ends with the unit. Tables are
// filled one after the other, from their beginning; each but the first is twice as long as the one before.
static inline uint32_t lj_site_rows(uint32_t table) {
  return table == 0 ? 60 : table == LJ_SITE_TABLES - 1 ? 256 : 28u << table;
}

// Where a slot's ring and tables are. Units of the history are counted from 1; 0: not there (yet).
typedef struct lj_history {
  // what every operation touches: one cache line
  uint64_t operations_head;     // operations ever written or, with LJ_RING_STOP, offered
  uint64_t operations_address;  // of the ring, in the program's memory (shim's own use)
  uint32_t operations_capacity; // a power of two; 0: there is no ring
  uint32_t operations_stop;     // LJ_RING_STOP: the capacity; else 0 (shim's own use)
  uint64_t clock_ticks;         // of the newest LJ_OP_CLOCK (shim's own use)
  uint64_t index;               // of all rows, in the program's memory; sites.c (shim's own use)
  uint64_t expected_row;        // that the next acquire is likely to be counted in (shim's own use)
  uint32_t sample_in;           // acquires until the next timed one (shim's own use)
  uint32_t random;              // state of the generator that picks them (shim's own use)
  uint16_t next_row;            // place of the next new row; sites.c (shim's own use)
  uint16_t next_any;            // the same in the last table (shim's own use)
  uint32_t refused;             // what could not be had: bit 0 the ring, from bit 1 on a table (shim's own use)
  // the rest
  uint64_t tables_address[LJ_SITE_TABLES]; // in the program's memory (shim's own use)
  uint64_t names_offset;        // first lj_names of the slot's threads, from the start of the file; 0: none
  uint64_t names_address;       // the same in the program's memory (shim's own use)
  uint32_t operations_unit;     // first of the ring
  uint32_t tables_unit[LJ_SITE_TABLES]; // first of each table
} lj_history;

// Names that the program gave to locks (lockjaw.h): a chain of units of the history for each slot. Of two for one lock
// the later counts. An entry whose `object` is set is complete.
typedef struct lj_name {
  uint64_t object;
  uint64_t named_ns;
  char text[48];
} lj_name;

typedef struct lj_names {
  uint64_t next_offset;  // from the start of the file; 0 ends the chain
  uint64_t next_address; // in the program's memory (shim's own use)
  uint32_t count;        // published
  uint32_t pad;
  uint64_t reserved[5];
  lj_name names[LJ_NAMES_PER_UNIT];
} lj_names;

// What the thread works on, in the program's own words (lockjaw.h). Odd `sequence`: it is being written.
typedef struct lj_breadcrumb {
  uint32_t sequence; // 0: there has been none
  uint32_t pad;
  uint64_t since_ns;
  char text[112];    // empty: on nothing any more
} lj_breadcrumb;

typedef struct lj_slot {
  // identity, 128 bytes
  uint32_t phase;        // LJ_PHASE_*
  uint32_t tid;
  uint64_t pthread;      // pthread_self()
  uint64_t started_ns;   // first operation seen, not the thread's start
  uint32_t generation;   // counts the threads that have used this slot
  uint32_t interrupted;  // >0: a signal handler locks inside this thread's wait
  uint64_t stack_low;    // 0: not known
  uint64_t stack_high;
  char name[16];
  uint64_t exited_ns;
  uint64_t shim_next_free;  // the shim's own: link in its list of free slots
  uint64_t reserved_identity[6];
  // the list of held entries, 56 bytes, and in the same cache line `wait.seq`: what every operation asks for
  uint32_t held_count;   // entries, inside the slot first, then along `held_extent`
  uint32_t held_extent;  // extent index + 1; LJ_NO_EXTENT: none
  uint32_t held_lost;    // >0: the list is incomplete, entries were lost
  uint32_t foreign_pending; // >0: look into `foreign` before the next operation
  uint64_t ring_offset;  // of the history, from the start of the file
  uint32_t ring_capacity;
  uint32_t uses_semaphores; // 0: this thread has never had a permit nor posted; `permits` and `posts` are empty
  uint64_t ring_head;    // events ever written; the newest is (ring_head - 1) % ring_capacity
  uint64_t acquisitions_contended;
  uint64_t reserved_held;
  lj_wait wait;
  uint64_t pad_wait;
  lj_held held[LJ_HELD_INLINE];
  lj_foreign foreign[LJ_FOREIGN];
  lj_permit permits[LJ_PERMITS];
  lj_post posts[LJ_POSTS];
  lj_history history;
  // page 1
  lj_event ring[LJ_RING_INLINE];
  lj_breadcrumb breadcrumb;
  uint8_t stack[LJ_STACK_BYTES];
} lj_slot;

typedef struct lj_extent {
  uint32_t next;   // extent index + 1; LJ_NO_EXTENT ends the chain
  uint32_t owner_slot;
  uint64_t reserved[7];
  lj_held held[LJ_HELD_PER_EXTENT];
} lj_extent;

#include "lockjaw_arena_layout.h"

// Atomics for both sides. Swift cannot see C11 `_Atomic` fields, so the fields are plain integers and every
// access that another thread or process may race with goes through these.
static inline uint64_t lj_load_acquire64(const void *p) { return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE); }
static inline uint32_t lj_load_acquire32(const void *p) { return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE); }
static inline uint64_t lj_load_relaxed64(const void *p) { return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED); }
static inline uint32_t lj_load_relaxed32(const void *p) { return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED); }
static inline void lj_store_release32(void *p, uint32_t v) { __atomic_store_n((uint32_t *)p, v, __ATOMIC_RELEASE); }
static inline void lj_store_release64(void *p, uint64_t v) { __atomic_store_n((uint64_t *)p, v, __ATOMIC_RELEASE); }
static inline uint32_t lj_exchange32(void *p, uint32_t v) { return __atomic_exchange_n((uint32_t *)p, v, __ATOMIC_SEQ_CST); }
static inline void lj_fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
static inline void lj_fence_full(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

#ifdef __cplusplus
}
#endif
#endif
