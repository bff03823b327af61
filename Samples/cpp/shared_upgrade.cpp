// A session store. A request finds its session under a shared lock and, when it is stale, takes the same shared_mutex
// exclusively to renew it, while the shared lock is still in scope. Two requests do so together.
// The first of the two to ask is stuck already, by its own read: for an instant it is a self-deadlock.
//
// lockjaw: verdict=upgrade-deadlock grows-from=self-deadlock certainty=proven threads=2 bystanders=0
#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <latch>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

namespace {

class SessionStore {
 public:
  int renew_if_stale(const std::string &user, std::latch &both_read);

 private:
  std::shared_mutex mutex_;
  std::map<std::string, int> age_;
};

int SessionStore::renew_if_stale(const std::string &user, std::latch &both_read) {
  std::shared_lock reading(mutex_);  // lockjaw: holds sessions thread=request-ann,request-bea mode=read
  const auto session = age_.find(user);
  if (session != age_.end() && session->second < 60) return session->second;
  both_read.arrive_and_wait();
  std::unique_lock writing(mutex_);  // lockjaw: waits sessions thread=request-ann,request-bea mode=write
  return age_[user] = 0;
}  // lockjaw: releases sessions thread=request-ann,request-bea guard=shared_lock

void serve(SessionStore &store, const char *user, std::latch &both_read) {
  pthread_setname_np(pthread_self(), (std::string("request-") + user).c_str());
  store.renew_if_stale(user, both_read);
}

}  // namespace

int main() {
  if (std::getenv("LOCKJAW_SAMPLE_FOREVER") == nullptr) alarm(300);
  SessionStore store;
  std::latch both_read(2);
  std::thread ann(serve, std::ref(store), "ann", std::ref(both_read));
  std::thread bea(serve, std::ref(store), "bea", std::ref(both_read));
  for (;;) pause();
}
