// The control of recursive_read: the same program with the default rwlock, which prefers readers. The second read
// passes the waiting writer, and the program ends.
//
// lockjaw: verdict=healthy|contention ends=exit
#include "sample.h"

static pthread_rwlock_t settings = PTHREAD_RWLOCK_INITIALIZER;
static char theme[16] = "dark", title[16] = "lockjaw";
static _Atomic pid_t writer;
static pthread_barrier_t reader_is_in;

static size_t title_length(void) {
  pthread_rwlock_rdlock(&settings);
  size_t length = strlen(title);
  pthread_rwlock_unlock(&settings);
  return length;
}

static size_t render(void) {
  pthread_rwlock_rdlock(&settings);
  pthread_barrier_wait(&reader_is_in);
  sample_await_blocked(&writer, &settings, sizeof settings);
  size_t width = strlen(theme) + title_length();
  pthread_rwlock_unlock(&settings);
  return width;
}

static void *reloader(void *unused) {
  pthread_setname_np(pthread_self(), "reload");
  writer = gettid();
  pthread_barrier_wait(&reader_is_in);
  pthread_rwlock_wrlock(&settings);
  snprintf(theme, sizeof theme, "light");
  pthread_rwlock_unlock(&settings);
  return unused;
}

static void *renderer(void *unused) {
  (void)unused;
  pthread_setname_np(pthread_self(), "render");
  return (void *)(uintptr_t)render();
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&reader_is_in, NULL, 2);
  pthread_t reading, writing;
  pthread_create(&reading, NULL, renderer, NULL);
  pthread_create(&writing, NULL, reloader, NULL);
  void *width = NULL;
  pthread_join(reading, &width);
  pthread_join(writing, NULL);
  return (uintptr_t)width == strlen("dark") + strlen(title) && strcmp(theme, "light") == 0 ? 0 : 1;
}
