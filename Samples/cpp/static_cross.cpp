// Two registries, each a function-local static whose constructor asks the other for its size. One thread begins with each:
// both statics are being initialised, and each initialisation waits for the other.
//
// lockjaw: verdict=deadlock certainty=inferred threads=2 bystanders=0
#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <latch>
#include <thread>

namespace {

std::latch both_have_begun(2);

struct Registry {
  int size = 1;
  template <typename Other>
  explicit Registry(Other other) {
    both_have_begun.arrive_and_wait();
    size += other().size;
  }
};

Registry &plugins();

Registry &settings() {
  static Registry registry(plugins);  // lockjaw: holds settings thread=reader; waits settings thread=loader
  return registry;
}

Registry &plugins() {
  static Registry registry(settings);  // lockjaw: holds plugins thread=loader; waits plugins thread=reader
  return registry;
}

void read_settings() {
  pthread_setname_np(pthread_self(), "reader");
  settings();
}

void load_plugins() {
  pthread_setname_np(pthread_self(), "loader");
  plugins();
}

}  // namespace

int main() {
  if (std::getenv("LOCKJAW_SAMPLE_FOREVER") == nullptr) alarm(300);
  std::thread reader(read_settings), loader(load_plugins);
  for (;;) pause();
}
