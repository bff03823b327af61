// A catalogue that takes a second and a half to index. The indexer keeps it read-locked and computes; the editor waits to
// write; the printer waits on a condition for the editor's change; main waits in joins. All of them wait long, for a good
// reason, and the program ends.
//
// lockjaw: verdict=healthy|contention|long-hold|host-starved ends=exit
#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

class Catalogue {
 public:
  unsigned index(Clock::duration work, std::latch &is_read_locked);
  void add(int title);
  void print_when_changed();

 private:
  std::shared_mutex lock_;
  std::vector<int> titles_ = std::vector<int>(1000, 7);
  std::mutex change_lock_;
  std::condition_variable changed_;
  bool is_changed_ = false;
};

unsigned Catalogue::index(Clock::duration work, std::latch &is_read_locked) {
  const std::shared_lock<std::shared_mutex> reading(lock_);
  is_read_locked.count_down();
  unsigned sum = 0;
  for (const auto end = Clock::now() + work; Clock::now() < end;) {
    for (const int title : titles_) sum = sum * 31 + static_cast<unsigned>(title);
  }
  return sum;
}

void Catalogue::add(int title) {
  {
    const std::unique_lock<std::shared_mutex> writing(lock_);
    titles_.push_back(title);
  }
  const std::lock_guard<std::mutex> telling(change_lock_);
  is_changed_ = true;
  changed_.notify_all();
}

void Catalogue::print_when_changed() {
  std::unique_lock<std::mutex> waiting(change_lock_);
  changed_.wait(waiting, [this] { return is_changed_; });
}

}  // namespace

int main() {
  Catalogue catalogue;
  std::latch is_read_locked(1);
  volatile unsigned sum = 0;
  std::thread indexer([&] {
    pthread_setname_np(pthread_self(), "indexer");
    sum = catalogue.index(std::chrono::milliseconds(1500), is_read_locked);
  });
  is_read_locked.wait();
  std::thread editor([&] {
    pthread_setname_np(pthread_self(), "editor");
    catalogue.add(42);
  });
  std::thread printer([&] {
    pthread_setname_np(pthread_self(), "printer");
    catalogue.print_when_changed();
  });
  for (std::thread *thread : {&indexer, &editor, &printer}) thread->join();
  return 0;
}
