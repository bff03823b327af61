// A catalogue that is a function-local static. Its constructor fills it, and what fills it looks something up in the
// catalogue: the thread waits for the initialisation that it is in.
//
// lockjaw: verdict=self-deadlock certainty=inferred threads=1 bystanders=0
#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <vector>

namespace {

int price_of(std::size_t article);

struct Catalogue {
  std::vector<int> prices{10, 20};
  Catalogue() { prices.push_back(price_of(0) + price_of(1)); }
};

const Catalogue &catalogue() {
  static const Catalogue one;  // lockjaw: holds catalogue thread=clerk; waits catalogue thread=clerk
  return one;
}

int price_of(std::size_t article) { return catalogue().prices[article]; }

void sell() {
  pthread_setname_np(pthread_self(), "clerk");
  price_of(2);
}

}  // namespace

int main() {
  if (std::getenv("LOCKJAW_SAMPLE_FOREVER") == nullptr) alarm(300);
  std::thread clerk(sell);
  for (;;) pause();
}
