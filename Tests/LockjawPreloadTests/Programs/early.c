// Preloaded with the shim, before or after it: an allocator that locks, and a constructor that does, as jemalloc and
// others do. Its malloc hands out memory from a fixed arena and never frees.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static char memory[64 << 20] __attribute__((aligned(16)));
static size_t used;

static void *take(size_t bytes, size_t alignment) {
  if (pthread_mutex_lock(&mutex) != 0) _exit(71);
  pthread_rwlock_rdlock(&rwlock);
  size_t at = (used + 16 + alignment - 1) & ~(alignment - 1);
  if (at + bytes > sizeof memory) _exit(72);
  used = at + bytes;
  *(size_t *)(memory + at - 16) = bytes;
  pthread_rwlock_unlock(&rwlock);
  if (pthread_mutex_unlock(&mutex) != 0) _exit(73);
  return memory + at;
}
void *malloc(size_t bytes) { return take(bytes, 16); }
void *calloc(size_t count, size_t bytes) { return take(count * bytes, 16); } // fresh memory is zero
void free(void *pointer) {
  if (!pointer) return;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
}
void *realloc(void *pointer, size_t bytes) {
  void *fresh = take(bytes, 16);
  if (pointer) {
    size_t old = *(size_t *)((char *)pointer - 16);
    memcpy(fresh, pointer, old < bytes ? old : bytes);
  }
  return fresh;
}
void *memalign(size_t alignment, size_t bytes) { return take(bytes, alignment < 16 ? 16 : alignment); }
void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void **pointer, size_t alignment, size_t bytes) {
  *pointer = memalign(alignment, bytes);
  return 0;
}
size_t malloc_usable_size(void *pointer) { return pointer ? *(size_t *)((char *)pointer - 16) : 0; }

// Held over the shim's own constructor, whichever comes first.
static pthread_mutex_t held_on = PTHREAD_MUTEX_INITIALIZER;
__attribute__((constructor)) static void lock_early(void) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  pthread_mutex_lock(&held_on);
}
__attribute__((destructor)) static void unlock_late(void) {
  if (pthread_mutex_unlock(&held_on) != 0) _exit(74);
}
