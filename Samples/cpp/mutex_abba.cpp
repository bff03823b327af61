// A warehouse. Moving goods locks the source shelf with a lock_guard and then the target with a scoped_lock of its own
// (one scoped_lock over both would have been right); two moves in opposite directions deadlock.
//
// lockjaw: verdict=deadlock certainty=proven threads=2 bystanders=0
#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <latch>
#include <mutex>
#include <thread>

namespace {

class Shelf {
 public:
  explicit Shelf(int crates) : crates_(crates) {}
  void move_to(Shelf &target, int crates, std::latch &both_hold_one);

 private:
  std::mutex mutex_;
  int crates_;
};

void Shelf::move_to(Shelf &target, int crates, std::latch &both_hold_one) {
  const std::lock_guard<std::mutex> source_lock(mutex_);  // lockjaw: holds north,south thread=fork-lift-1,fork-lift-2
  both_hold_one.arrive_and_wait();
  const std::scoped_lock target_lock(target.mutex_);  // lockjaw: waits south,north thread=fork-lift-1,fork-lift-2
  crates_ -= crates;
  target.crates_ += crates;
}

void drive(const char *name, Shelf &from, Shelf &to, std::latch &both_hold_one) {
  pthread_setname_np(pthread_self(), name);
  from.move_to(to, 3, both_hold_one);
}

}  // namespace

int main() {
  if (std::getenv("LOCKJAW_SAMPLE_FOREVER") == nullptr) alarm(300);
  Shelf north(20), south(20);
  std::latch both_hold_one(2);
  std::thread first(drive, "fork-lift-1", std::ref(north), std::ref(south), std::ref(both_hold_one));
  std::thread second(drive, "fork-lift-2", std::ref(south), std::ref(north), std::ref(both_hold_one));
  for (;;) pause();
}
