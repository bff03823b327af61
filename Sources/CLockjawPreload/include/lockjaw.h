// Tell lockjaw what it cannot see: locks of your own, names, what a thread works on, loops that must not stop.
//
// One header, C and C++, no library to link. Where liblockjaw.so is not preloaded, each call is a comparison of an address
// with zero. Everything here is safe in any thread at any time, signal handlers included; nothing fails and nothing blocks.
//
// A lock of your own (a spin lock, a lock in a database page, a lease):
//
//   void my_lock(struct my_lock *l) {
//     if (!try(l)) {
//       lockjaw_wait_begin(l);           // in the function that waits: its frame has to stay
//       while (!try(l)) pause();
//     }                                  // given up instead? lockjaw_wait_end(l)
//     lockjaw_acquired(l);               // ends the wait
//   }
//   void my_unlock(struct my_lock *l) {
//     lockjaw_releasing(l);              // before, not after: afterwards somebody else may have it
//     unlock(l);
//   }
//
// What the waiting does inside (futexes, condition variables, sleeping) does not matter. Locks built of one pthread mutex
// need none of this: that mutex is seen.
//
// A wait that is left by an exception or longjmp instead should be ended by lockjaw_wait_end on that way. Else it is taken to
// go on until the thread uses a lock from a function further out than the one that began to wait.
//
// The addresses only tell locks apart; nothing is read from them. 0 and 1 are no locks: calls with those do nothing. Strings
// are copied: names up to 47 bytes, breadcrumbs up to 111, heartbeats' names up to 63. A thread can name some 1,000 locks.
#ifndef LOCKJAW_H
#define LOCKJAW_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__ELF__) && defined(__GNUC__)
#define LOCKJAW_WEAK __attribute__((weak, visibility("default")))
#define LOCKJAW_INLINE static inline __attribute__((always_inline, unused))

// Of liblockjaw.so; other languages may look them up with dlsym(RTLD_DEFAULT, …). `mode`: 0 exclusive, 1 read, 2 write.
extern void lockjaw_v1_wait_begin(const void *lock, int mode) LOCKJAW_WEAK;
extern void lockjaw_v1_wait_end(const void *lock) LOCKJAW_WEAK;
extern void lockjaw_v1_acquired(const void *lock, int mode) LOCKJAW_WEAK;
extern void lockjaw_v1_releasing(const void *lock, int mode) LOCKJAW_WEAK;
extern void lockjaw_v1_name(const void *lock, const char *name) LOCKJAW_WEAK;
extern void lockjaw_v1_breadcrumb(const char *text) LOCKJAW_WEAK;
extern void lockjaw_v1_heartbeat(const char *name, unsigned within_ms) LOCKJAW_WEAK;

#if defined(__x86_64__)
// By way of the global offset table also in code that is not position independent: there the linker would decide that a
// function which is not there now will never be.
#define LOCKJAW_CALL(function, ...)                                                                        \
  do {                                                                                                     \
    __typeof__(&function) lockjaw_found_;                                                                  \
    __asm__(".weak " #function "\n\tmovq " #function "@GOTPCREL(%%rip), %0" : "=r"(lockjaw_found_));       \
    if (lockjaw_found_) lockjaw_found_(__VA_ARGS__);                                                       \
  } while (0)
#else
#define LOCKJAW_CALL(function, ...)      \
  do {                                   \
    if (function) function(__VA_ARGS__); \
  } while (0)
#endif
#else
#define LOCKJAW_INLINE static inline
#define LOCKJAW_CALL(function, ...) ((void)0)
#endif

// This thread is about to wait for `lock`, until lockjaw_acquired (or _to_read, _to_write) or lockjaw_wait_end. To say so
// again while it waits changes nothing.
LOCKJAW_INLINE void lockjaw_wait_begin(const void *lock) {
  (void)lock;
  LOCKJAW_CALL(lockjaw_v1_wait_begin, lock, 0);
}
// The same for a lock that several threads may read under at once.
LOCKJAW_INLINE void lockjaw_wait_begin_to_read(const void *lock) {
  (void)lock;
  LOCKJAW_CALL(lockjaw_v1_wait_begin, lock, 1);
}
LOCKJAW_INLINE void lockjaw_wait_begin_to_write(const void *lock) {
  (void)lock;
  LOCKJAW_CALL(lockjaw_v1_wait_begin, lock, 2);
}
// It has stopped waiting without having it: a time limit, an error.
LOCKJAW_INLINE void lockjaw_wait_end(const void *lock) {
  (void)lock;
  LOCKJAW_CALL(lockjaw_v1_wait_end, lock);
}

// This thread has it now.
LOCKJAW_INLINE void lockjaw_acquired(const void *lock) {
  (void)lock;
  LOCKJAW_CALL(lockjaw_v1_acquired, lock, 0);
}
LOCKJAW_INLINE void lockjaw_acquired_to_read(const void *lock) {
  (void)lock;
  LOCKJAW_CALL(lockjaw_v1_acquired, lock, 1);
}
LOCKJAW_INLINE void lockjaw_acquired_to_write(const void *lock) {
  (void)lock;
  LOCKJAW_CALL(lockjaw_v1_acquired, lock, 2);
}
// It is about to give it up, in whatever mode it has it.
LOCKJAW_INLINE void lockjaw_releasing(const void *lock) {
  (void)lock;
  LOCKJAW_CALL(lockjaw_v1_releasing, lock, 0);
}

// What reports call a lock, of any kind.
LOCKJAW_INLINE void lockjaw_name(const void *lock, const char *name) {
  (void)lock;
  (void)name;
  LOCKJAW_CALL(lockjaw_v1_name, lock, name);
}

// What this thread works on from now on ("record 4711"); a null pointer: nothing. Reports show it beside the thread.
LOCKJAW_INLINE void lockjaw_breadcrumb(const char *text) {
  (void)text;
  LOCKJAW_CALL(lockjaw_v1_breadcrumb, text);
}

// The loop called `name` is alive, and says so again within this many milliseconds, from any thread; 0: no more, it ends. A
// heartbeat that does not come is reported. At most 16 names in a process.
LOCKJAW_INLINE void lockjaw_heartbeat(const char *name, unsigned within_ms) {
  (void)name;
  (void)within_ms;
  LOCKJAW_CALL(lockjaw_v1_heartbeat, name, within_ms);
}

#ifdef __cplusplus
}
#endif
#endif
