// A registry of services fed by gossip: the contagious deadlock in C. The read lock taken to look a name up lives as
// long as the whole `if`, its `else` branch included; a name that is not known yet takes the write lock there, in the
// same thread.
//
// lockjaw: verdict=self-deadlock certainty=proven threads=1 bystanders=0
#include "sample.h"

struct service {
  char name[32];
  int port;
};

static struct {
  pthread_rwlock_t lock;
  struct service services[16];
  int count;
} registry = {.lock = PTHREAD_RWLOCK_INITIALIZER, .services = {{"web", 80}}, .count = 1};

/// The guard: what `registry_read` took is given back when the caller's scope ends, as in C++ or Rust.
static void end_read(struct service **found) {
  (void)found;
  pthread_rwlock_unlock(&registry.lock);
}

static struct service *find(const char *name) {
  for (int i = 0; i < registry.count; i++)
    if (strcmp(registry.services[i].name, name) == 0) return &registry.services[i];
  return NULL;
}

static void apply_record(const char *name, int port) {
  pthread_rwlock_rdlock(&registry.lock);  // lockjaw: holds registry thread=gossip mode=read
  __attribute__((cleanup(end_read))) struct service *known = find(name);
  if (known != NULL) {
    printf("%s stays on port %d\n", known->name, known->port);
  } else {
    pthread_rwlock_wrlock(&registry.lock);  // lockjaw: waits registry thread=gossip mode=write
    struct service *added = &registry.services[registry.count++];
    snprintf(added->name, sizeof added->name, "%s", name);
    added->port = port;
    pthread_rwlock_unlock(&registry.lock);
  }
}

static void *gossip(void *unused) {
  pthread_setname_np(pthread_self(), "gossip");
  apply_record("web", 80);
  apply_record("api", 8080);
  return unused;
}

int main(void) {
  sample_begin();
  pthread_t thread;
  pthread_create(&thread, NULL, gossip, NULL);
  sample_serve();
}
