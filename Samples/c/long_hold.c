// A renderer that waits for a cache lock whose holder is busy: it reads from a pipe, under the lock, and the other end
// has nothing to say. No deadlock; the report must say what the holder is doing.
//
// lockjaw: verdict=long-hold threads=1 bystanders=0
#include "sample.h"

static struct {
  pthread_mutex_t lock;
  char page[64];
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER, .page = "empty"};
static pthread_barrier_t cache_is_locked;
static int upstream[2];

static void refill(int source) {
  pthread_mutex_lock(&cache.lock);  // lockjaw: holds cache thread=fetcher
  pthread_barrier_wait(&cache_is_locked);
  ssize_t length = read(source, cache.page, sizeof cache.page - 1);
  cache.page[length > 0 ? length : 0] = '\0';
  pthread_mutex_unlock(&cache.lock);
}

static void render(void) {
  pthread_mutex_lock(&cache.lock);  // lockjaw: waits cache thread=renderer
  puts(cache.page);
  pthread_mutex_unlock(&cache.lock);
}

static void *fetcher(void *unused) {
  pthread_setname_np(pthread_self(), "fetcher");
  refill(upstream[0]);
  return unused;
}

static void *renderer(void *unused) {
  pthread_setname_np(pthread_self(), "renderer");
  pthread_barrier_wait(&cache_is_locked);
  render();
  return unused;
}

int main(void) {
  sample_begin();
  if (pipe(upstream) != 0) return 2;
  pthread_barrier_init(&cache_is_locked, NULL, 2);
  pthread_t fetching, rendering;
  pthread_create(&fetching, NULL, fetcher, NULL);
  pthread_create(&rendering, NULL, renderer, NULL);
  sample_serve();
}
