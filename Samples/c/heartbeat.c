// A server whose event loop says in lockjaw.h that it beats every 300 ms. It asks for the session table while another thread
// has it and reads from a slow peer. Nothing is deadlocked, and every client waits all the same: the heartbeat tells.
//
// lockjaw: verdict=missed-heartbeat certainty=proven threads=1 bystanders=0
#include "sample.h"

#include "lockjaw.h"

static struct {
  pthread_mutex_t lock;
  char newest[64];
} sessions = {.lock = PTHREAD_MUTEX_INITIALIZER};
static pthread_barrier_t sessions_are_locked;
static int peer[2];

static void *accept_session(void *unused) {
  pthread_setname_np(pthread_self(), "acceptor");
  pthread_mutex_lock(&sessions.lock);  // lockjaw: holds sessions thread=acceptor
  pthread_barrier_wait(&sessions_are_locked);
  ssize_t length = read(peer[0], sessions.newest, sizeof sessions.newest - 1);
  sessions.newest[length > 0 ? length : 0] = '\0';
  pthread_mutex_unlock(&sessions.lock);
  return unused;
}

static void expire_sessions(void) {
  lockjaw_breadcrumb("expire sessions");
  pthread_mutex_lock(&sessions.lock);  // lockjaw: waits sessions thread=loop
  pthread_mutex_unlock(&sessions.lock);
}

static void *event_loop(void *unused) {
  pthread_setname_np(pthread_self(), "loop");
  for (int turn = 0;; turn++) {
    lockjaw_heartbeat("event loop", 300);
    if (turn == 3) expire_sessions();
    struct pollfd none = {.fd = -1};
    poll(&none, 1, 10);
  }
  return unused;
}

int main(void) {
  sample_begin();
  if (pipe(peer) != 0) return 2;
  pthread_barrier_init(&sessions_are_locked, NULL, 2);
  pthread_t threads[2];
  pthread_create(&threads[0], NULL, accept_session, NULL);
  pthread_barrier_wait(&sessions_are_locked);
  pthread_create(&threads[1], NULL, event_loop, NULL);
  sample_serve();
}
