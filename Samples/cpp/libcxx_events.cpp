// A start-up in two threads that tell each other what is ready, through atomics of libc++. The loader waits for the schema
// before it loads tables; whoever parses the schema wants to see the tables first. No lock, and nothing that says who
// would have to act. One atomic has 32 bits, which libc++ sleeps on; the other has 8, for which it sleeps elsewhere.
//
// lockjaw: verdict=hang-unknown certainty=suspect threads=2 bystanders=0 sleeps=renewed
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

namespace {

std::atomic<int> tables_loaded{0};
std::atomic<bool> is_schema_ready{false};

void load_tables() {
  pthread_setname_np(pthread_self(), "loader");
  is_schema_ready.wait(false);  // lockjaw: waits schema thread=loader
  tables_loaded = 7;
  tables_loaded.notify_all();
}

void parse_schema() {
  pthread_setname_np(pthread_self(), "parser");
  tables_loaded.wait(0);  // lockjaw: waits tables thread=parser
  is_schema_ready = true;
  is_schema_ready.notify_all();
}

}  // namespace

int main() {
  if (std::getenv("LOCKJAW_SAMPLE_FOREVER") == nullptr) alarm(300);
  std::thread loader(load_tables), parser(parse_schema);
  loader.join();
  parser.join();
}
