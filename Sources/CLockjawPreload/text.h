// Strings without libc: built in fixed buffers, cut rather than overrun.
#ifndef LOCKJAW_TEXT_H
#define LOCKJAW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lj_text {
  char *start;
  size_t capacity; // includes the terminating zero
  size_t length;
  bool cut;
} lj_text;

static inline lj_text lj_text_in(char *buffer, size_t capacity) {
  buffer[0] = 0;
  return (lj_text){.start = buffer, .capacity = capacity};
}

static inline void lj_put_char(lj_text *text, char c) {
  if (text->length + 1 >= text->capacity) {
    text->cut = true;
    return;
  }
  text->start[text->length++] = c;
  text->start[text->length] = 0;
}

static inline void lj_put(lj_text *text, const char *string) {
  while (*string) lj_put_char(text, *string++);
}

static inline void lj_put_decimal(lj_text *text, uint64_t value) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  while (count) lj_put_char(text, digits[--count]);
}

// Parses decimal digits at `*at` and moves past them; false where there are none or they overflow.
static inline bool lj_take_decimal(const char **at, uint64_t *value) {
  const char *p = *at;
  uint64_t result = 0;
  if (*p < '0' || *p > '9') return false;
  for (; *p >= '0' && *p <= '9'; p++)
    if (__builtin_mul_overflow(result, 10u, &result) || __builtin_add_overflow(result, (uint64_t)(*p - '0'), &result))
      return false;
  *at = p;
  *value = result;
  return true;
}

static inline bool lj_take_hex(const char **at, uint64_t *value) {
  const char *p = *at;
  uint64_t result = 0;
  for (;; p++) {
    unsigned digit;
    if (*p >= '0' && *p <= '9') digit = (unsigned)(*p - '0');
    else if (*p >= 'a' && *p <= 'f') digit = (unsigned)(*p - 'a' + 10);
    else break;
    if (result >> 60) return false;
    result = result << 4 | digit;
  }
  if (p == *at) return false;
  *at = p;
  *value = result;
  return true;
}

static inline bool lj_take(const char **at, const char *expected) {
  const char *p = *at;
  for (; *expected; p++, expected++)
    if (*p != *expected) return false;
  *at = p;
  return true;
}

static inline bool lj_equal(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static inline size_t lj_length(const char *string) {
  size_t length = 0;
  while (string[length]) length++;
  return length;
}

// Copies and cuts; the destination always ends in zero.
static inline void lj_copy_text(char *to, size_t capacity, const char *from) {
  lj_text text = lj_text_in(to, capacity);
  lj_put(&text, from);
}

#endif
