// How much a running program at level `all` has recorded so far.
//
//   operations DIRECTORY PID
//
// Prints the number of operations in that process's arena.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lockjaw_arena.h"

// The arena's address, or NULL; `*bytes` is its length.
static const char *map_arena(const char *directory, const char *pid, size_t *bytes) {
  DIR *entries = opendir(directory);
  if (!entries) return NULL;
  const char *arena = NULL;
  char prefix[64];
  snprintf(prefix, sizeof prefix, "lockjaw-%s-", pid);
  for (struct dirent *entry; !arena && (entry = readdir(entries));) {
    struct stat status;
    if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
    int file = openat(dirfd(entries), entry->d_name, O_RDONLY);
    if (file < 0) continue;
    if (fstat(file, &status) == 0 && (size_t)status.st_size > sizeof(lj_arena_header)) {
      void *at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, file, 0);
      *bytes = (size_t)status.st_size;
      if (at != MAP_FAILED) arena = at;
    }
  }
  closedir(entries);
  return arena;
}

int main(int argc, char **argv) {
  size_t bytes = 0;
  const char *arena = argc == 3 ? map_arena(argv[1], argv[2], &bytes) : NULL;
  if (!arena) return 1;
  const lj_arena_header *header = (const lj_arena_header *)arena;
  if (header->magic != LJ_ARENA_MAGIC || header->version != LJ_ABI_VERSION) return 1;
  uint64_t operations = 0;
  for (uint32_t i = 0; i < header->slot_count; i++)
    operations += ((const lj_slot *)(arena + header->slots_offset))[i].history.operations_head;
  printf("%llu\n", (unsigned long long)operations);
  return 0;
}
