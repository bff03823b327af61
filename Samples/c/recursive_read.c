// Settings behind a rwlock that prefers writers. The renderer reads the theme and, inside, reads the title with a
// second read lock. A writer that arrived in between stands in front of that second read, and waits for the first.
//
// lockjaw: verdict=recursive-read-deadlock certainty=proven threads=2 bystanders=0
#include "sample.h"

static pthread_rwlock_t settings;
static char theme[16] = "dark", title[16] = "lockjaw";
static _Atomic pid_t writer;
static pthread_barrier_t reader_is_in;

static size_t title_length(void) {
  pthread_rwlock_rdlock(&settings);  // lockjaw: waits settings thread=render mode=read behind=reload
  size_t length = strlen(title);
  pthread_rwlock_unlock(&settings);
  return length;
}

static size_t render(void) {
  pthread_rwlock_rdlock(&settings);  // lockjaw: holds settings thread=render mode=read
  pthread_barrier_wait(&reader_is_in);
  sample_await_blocked(&writer, &settings, sizeof settings);
  size_t width = strlen(theme) + title_length();
  pthread_rwlock_unlock(&settings);
  return width;
}

static void reload(const char *new_theme) {
  pthread_rwlock_wrlock(&settings);  // lockjaw: waits settings thread=reload mode=write
  snprintf(theme, sizeof theme, "%s", new_theme);
  pthread_rwlock_unlock(&settings);
}

static void *reloader(void *unused) {
  pthread_setname_np(pthread_self(), "reload");
  writer = gettid();
  pthread_barrier_wait(&reader_is_in);
  reload("light");
  return unused;
}

static void *renderer(void *unused) {
  pthread_setname_np(pthread_self(), "render");
  printf("%zu columns\n", render());
  return unused;
}

int main(void) {
  sample_begin();
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&settings, &attributes);
  pthread_barrier_init(&reader_is_in, NULL, 2);
  pthread_t reading, writing;
  pthread_create(&reading, NULL, renderer, NULL);
  pthread_create(&writing, NULL, reloader, NULL);
  sample_serve();
}
