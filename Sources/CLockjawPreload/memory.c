// What the compiler makes of copies and of zeros: calls of these. Through the PLT they would reach whoever stands in front
// of libc. ThreadSanitizer's see slots that change hands by an exchange of their own as races, and it is the program that
// would be blamed. Hidden, so that nobody but the shim gets them; instructions, so that the compiler makes no calls of them again.
#include <stddef.h>

#define LJ_OURS __attribute__((visibility("hidden"), used))

LJ_OURS void *memset(void *to, int byte, size_t count) {
  void *at = to;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(byte) : "memory");
  return to;
}

LJ_OURS void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(count) : : "memory");
  return to;
}

LJ_OURS void *memmove(void *to, const void *from, size_t count) {
  if ((char *)to <= (const char *)from || (char *)to >= (const char *)from + count) return memcpy(to, from, count);
  char *at = (char *)to + count - 1;
  const char *last = (const char *)from + count - 1;
  __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(at), "+S"(last), "+c"(count) : : "memory", "cc");
  return to;
}

LJ_OURS size_t strlen(const char *text) {
  const char *end = text;
  for (; *end; end++) __asm__ volatile("" : "+r"(end));
  return (size_t)(end - text);
}
