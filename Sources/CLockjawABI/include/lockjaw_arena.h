// The arena: one process image's locks, in a file that outlives the process.
//
// This header is the only definition of the format. The shim writes through it, the reader reads through it,
// and every offset below is asserted, so that a change that moves a field does not compile.
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
//   file_bytes          +--------------------------------------------------+
//
// The file is sparse. A page holds data only below `module_count`, `slot_count` and `extent_count`; the shim
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
// Time is CLOCK_MONOTONIC in nanoseconds wherever a name ends in `_ns`. Zero means "not known".
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
  LJ_ABI_VERSION = 1,
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
  LJ_KIND_FUTEX = 8,     // FUTEX_WAIT through libc's syscall(); `object` is the word
  LJ_KIND_PI_FUTEX = 9,  // FUTEX_LOCK_PI through libc's syscall(): the word names its owner
  LJ_KIND_ONCE = 10,     // pthread_once_t
  LJ_KIND_COUNT = 11,
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

enum {
  LJ_HELD_CONTENDED = 1, // acquired after a recorded wait; `since_ns` is set
  LJ_HELD_TRY = 2,       // acquired by a try variant
  LJ_HELD_RELOCKED = 4,  // re-acquired inside pthread_cond_wait
};

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
  uint32_t level;           // LJ_LEVEL_*
  uint32_t pid;             // in the target's own pid namespace
  uint32_t parent_pid;
  uint32_t uid;
  uint32_t image_number;    // 0 for the first image of this pid; counts exec
  uint64_t start_ticks;     // field 22 of /proc/self/stat: with pid, the process' identity
  uint8_t boot_id[16];
  uint64_t created_ns;
  uint64_t created_realtime_ns;
  uint64_t tsc_at_creation; // 0 where the TSC is not used
  uint32_t tsc_khz;         // 0: not calibrated
  uint32_t clock;           // CLOCK_MONOTONIC = 1
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
  uint32_t pad_quiet;
} lj_arena_header;

typedef struct lj_collector_page {
  uint32_t bell;       // futex word: bumped and woken by a beginning wait
  uint32_t wake_mask;  // LJ_WAKE_* the collector sleeps for; 0 while it is awake. Cleared by whoever rings.
  uint32_t collector_pid;
  uint32_t reports_done; // report_requests the collector has served
  uint64_t collector_start_ticks;
  uint64_t last_pass_ns;
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
  uint64_t since_ns;      // set after a contended acquire only: the uncontended path takes no time stamp
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
  uint64_t frame;        // the wait's record in the waiter's stack (shim's own use)
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
  // the wait, 256 bytes
  lj_wait wait;
  // held entries, header 64 bytes
  uint32_t held_count;   // entries, inside the slot first, then along `held_extent`
  uint32_t held_extent;  // extent index + 1; LJ_NO_EXTENT: none
  uint32_t held_lost;    // >0: the list is incomplete, entries were lost
  uint32_t foreign_pending; // >0: look into `foreign` before the next operation
  uint64_t ring_offset;  // of the history, from the start of the file
  uint32_t ring_capacity;
  uint32_t pad_ring;
  uint64_t ring_head;    // events ever written; the newest is (ring_head - 1) % ring_capacity
  uint64_t acquisitions_contended;
  uint32_t uses_semaphores; // 0: this thread has never had a permit nor posted; `permits` and `posts` are empty
  uint32_t pad_semaphores;
  uint64_t reserved_held[1];
  lj_held held[LJ_HELD_INLINE];
  lj_foreign foreign[LJ_FOREIGN];
  lj_permit permits[LJ_PERMITS];
  lj_post posts[LJ_POSTS];
  uint64_t reserved_page0[24];
  // page 1
  lj_event ring[LJ_RING_INLINE];
  uint64_t reserved_page1[16];
  uint8_t stack[LJ_STACK_BYTES];
} lj_slot;

typedef struct lj_extent {
  uint32_t next;   // extent index + 1; LJ_NO_EXTENT ends the chain
  uint32_t owner_slot;
  uint64_t reserved[7];
  lj_held held[LJ_HELD_PER_EXTENT];
} lj_extent;

#define LJ_AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
#define LJ_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)

#ifndef __cplusplus
LJ_AT(lj_arena_header, magic, 0);
LJ_AT(lj_arena_header, version, 8);
LJ_AT(lj_arena_header, header_bytes, 12);
LJ_AT(lj_arena_header, slot_bytes, 16);
LJ_AT(lj_arena_header, held_bytes, 20);
LJ_AT(lj_arena_header, event_bytes, 24);
LJ_AT(lj_arena_header, module_bytes, 28);
LJ_AT(lj_arena_header, file_bytes, 32);
LJ_AT(lj_arena_header, modules_offset, 40);
LJ_AT(lj_arena_header, slots_offset, 48);
LJ_AT(lj_arena_header, extents_offset, 56);
LJ_AT(lj_arena_header, module_capacity, 64);
LJ_AT(lj_arena_header, slot_capacity, 68);
LJ_AT(lj_arena_header, extent_capacity, 72);
LJ_AT(lj_arena_header, image_state, 76);
LJ_AT(lj_arena_header, module_count, 80);
LJ_AT(lj_arena_header, slot_count, 84);
LJ_AT(lj_arena_header, extent_count, 88);
LJ_AT(lj_arena_header, level, 92);
LJ_AT(lj_arena_header, pid, 96);
LJ_AT(lj_arena_header, parent_pid, 100);
LJ_AT(lj_arena_header, uid, 104);
LJ_AT(lj_arena_header, image_number, 108);
LJ_AT(lj_arena_header, start_ticks, 112);
LJ_AT(lj_arena_header, boot_id, 120);
LJ_AT(lj_arena_header, created_ns, 136);
LJ_AT(lj_arena_header, created_realtime_ns, 144);
LJ_AT(lj_arena_header, tsc_at_creation, 152);
LJ_AT(lj_arena_header, tsc_khz, 160);
LJ_AT(lj_arena_header, clock, 164);
LJ_AT(lj_arena_header, report_requests, 168);
LJ_AT(lj_arena_header, modules_generation, 172);
LJ_AT(lj_arena_header, foreign_releases, 176);
LJ_AT(lj_arena_header, exit_code, 180);
LJ_AT(lj_arena_header, shim_base, 184);
LJ_AT(lj_arena_header, losses, 192);
LJ_AT(lj_arena_header, session, 320);
LJ_AT(lj_arena_header, reason, 352);
LJ_AT(lj_arena_header, executable, 544);
LJ_AT(lj_arena_header, command, 1056);
LJ_AT(lj_arena_header, quiet_reason, 2080);
LJ_SIZE(lj_arena_header, 2088);

LJ_AT(lj_collector_page, bell, 0);
LJ_AT(lj_collector_page, wake_mask, 4);
LJ_AT(lj_collector_page, collector_pid, 8);
LJ_AT(lj_collector_page, reports_done, 12);
LJ_AT(lj_collector_page, collector_start_ticks, 16);
LJ_AT(lj_collector_page, last_pass_ns, 24);
LJ_SIZE(lj_collector_page, 32);

LJ_AT(lj_module, start, 0);
LJ_AT(lj_module, end, 8);
LJ_AT(lj_module, text_start, 16);
LJ_AT(lj_module, text_end, 24);
LJ_AT(lj_module, text_offset, 32);
LJ_AT(lj_module, inode, 40);
LJ_AT(lj_module, device_major, 48);
LJ_AT(lj_module, device_minor, 52);
LJ_AT(lj_module, build_id_bytes, 56);
LJ_AT(lj_module, path_truncated, 60);
LJ_AT(lj_module, build_id, 64);
LJ_AT(lj_module, path, 96);
LJ_SIZE(lj_module, 512);

LJ_AT(lj_held, object, 0);
LJ_AT(lj_held, site, 8);
LJ_AT(lj_held, count, 16);
LJ_AT(lj_held, kind, 20);
LJ_AT(lj_held, mode, 21);
LJ_AT(lj_held, caller_count, 22);
LJ_AT(lj_held, flags, 23);
LJ_AT(lj_held, since_ns, 24);
LJ_AT(lj_held, callers, 32);
LJ_SIZE(lj_held, 64);

LJ_AT(lj_context, ip, 0);
LJ_AT(lj_context, sp, 8);
LJ_AT(lj_context, bp, 16);
LJ_AT(lj_context, bx, 24);
LJ_AT(lj_context, r12, 32);
LJ_AT(lj_context, r13, 40);
LJ_AT(lj_context, r14, 48);
LJ_AT(lj_context, r15, 56);
LJ_SIZE(lj_context, 64);

LJ_AT(lj_wait, seq, 0);
LJ_AT(lj_wait, object, 8);
LJ_AT(lj_wait, object2, 16);
LJ_AT(lj_wait, site, 24);
LJ_AT(lj_wait, since_ns, 32);
LJ_AT(lj_wait, deadline_ns, 40);
LJ_AT(lj_wait, futex_op, 48);
LJ_AT(lj_wait, futex_value, 52);
LJ_AT(lj_wait, owner_tid, 56);
LJ_AT(lj_wait, kind, 60);
LJ_AT(lj_wait, mode, 61);
LJ_AT(lj_wait, context, 64);
LJ_AT(lj_wait, stack_bytes, 128);
LJ_AT(lj_wait, depth, 132);
LJ_AT(lj_wait, event, 136);
LJ_SIZE(lj_wait, 192);

LJ_AT(lj_event, begin_ns, 0);
LJ_AT(lj_event, duration_ns, 8);
LJ_AT(lj_event, object, 16);
LJ_AT(lj_event, object2, 24);
LJ_AT(lj_event, site, 32);
LJ_AT(lj_event, owner_tid, 40);
LJ_AT(lj_event, kind, 44);
LJ_AT(lj_event, mode, 45);
LJ_AT(lj_event, outcome, 46);
LJ_SIZE(lj_event, 48);

LJ_AT(lj_foreign, object, 0);
LJ_AT(lj_foreign, count, 8);
LJ_AT(lj_foreign, by_tid, 12);
LJ_SIZE(lj_foreign, 16);
LJ_AT(lj_permit, object, 0);
LJ_AT(lj_permit, site, 8);
LJ_AT(lj_permit, taken_ticks, 16);
LJ_AT(lj_permit, count, 24);
LJ_SIZE(lj_permit, 32);
LJ_AT(lj_post, object, 0);
LJ_AT(lj_post, posted_ticks, 8);
LJ_SIZE(lj_post, 16);

LJ_AT(lj_slot, phase, 0);
LJ_AT(lj_slot, tid, 4);
LJ_AT(lj_slot, pthread, 8);
LJ_AT(lj_slot, started_ns, 16);
LJ_AT(lj_slot, generation, 24);
LJ_AT(lj_slot, interrupted, 28);
LJ_AT(lj_slot, stack_low, 32);
LJ_AT(lj_slot, stack_high, 40);
LJ_AT(lj_slot, name, 48);
LJ_AT(lj_slot, exited_ns, 64);
LJ_AT(lj_slot, wait, 128);
LJ_AT(lj_slot, held_count, 320);
LJ_AT(lj_slot, held_extent, 324);
LJ_AT(lj_slot, held_lost, 328);
LJ_AT(lj_slot, foreign_pending, 332);
LJ_AT(lj_slot, ring_offset, 336);
LJ_AT(lj_slot, ring_capacity, 344);
LJ_AT(lj_slot, ring_head, 352);
LJ_AT(lj_slot, acquisitions_contended, 360);
LJ_AT(lj_slot, uses_semaphores, 368);
LJ_AT(lj_slot, held, 384);
LJ_AT(lj_slot, foreign, 3456);
LJ_AT(lj_slot, permits, 3520);
LJ_AT(lj_slot, posts, 3776);
LJ_AT(lj_slot, ring, 4096);
LJ_AT(lj_slot, stack, 6144);
LJ_SIZE(lj_slot, 8192);
LJ_AT(lj_extent, held, 64);
LJ_SIZE(lj_extent, 4096);
#endif

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
