import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

@Suite("Names of variables")
struct DataSymbolTests {
  @Test("A global lock has a name: initialised, zeroed, static, in a struct, in a namespace; the heap has none")
  func names() throws {
    let program = try Program(
      .cpp, name: "globals",
      source: """
        #include <cstdio>
        #include <cstdlib>
        #include <pthread.h>
        #include <unistd.h>
        pthread_mutex_t initialised = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
        static pthread_mutex_t zeroed;
        static char padding[1 << 20];
        namespace bank { pthread_mutex_t vault[4]; }
        int main() {
          void *heap = malloc(100);
          padding[5] = 1;
          printf("%p %p %p %p %p\\n", (void *)&initialised, (void *)&zeroed, (void *)&bank::vault[2], (void *)&padding[70000], heap);
          puts("ready");
          fflush(stdout);
          pause();
        }
        """)
    let running = try RunningProgram(program)
    let addresses = try running.readLine().split(separator: " ").compactMap { UInt64($0.dropFirst(2), radix: 16) }
    #expect(try running.readLine() == "ready")
    try #require(addresses.count == 5)
    let process = try LiveProcess(pid: running.pid)
    let symbolizer = Symbolizer(modules: try process.modules(), files: ModuleFiles(root: .process(process)))
    let found = addresses.map { symbolizer.dataSymbol(at: Address($0)) }
    #expect(found[0]?.name == "initialised")
    #expect(found[0]?.offset == 0)
    #expect(found[1]?.name == "zeroed")
    #expect(found[2]?.name == "bank::vault")
    #expect(found[2]?.offset == 80)
    #expect(found[3]?.name == "padding")
    #expect(found[3]?.offset == 70000)
    #expect(found[4] == nil)
  }

  @Test("A lock inside a global is named as the source would write it", arguments: [["-g"], ["-g", "-O2"], ["-g0"]])
  func paths(flags: [String]) throws {
    let program = try Program(
      .cpp, name: "nested", flags: flags,
      source: """
        #include <cstdio>
        #include <mutex>
        #include <pthread.h>
        #include <shared_mutex>
        #include <unistd.h>
        struct Base { long before; std::mutex guard; };
        struct Account : Base { char name[20]; pthread_mutex_t lock; struct { int x; std::shared_mutex ledger; } inner; };
        static Account accounts[3];
        namespace bank { Account single; pthread_mutex_t grid[2][3]; int plain; }
        int main() {
          bank::plain = 1;
          printf("%p %p %p %p %p %p %p\\n", (void *)&accounts[2].lock, (void *)&accounts[1].guard,
                 (void *)&bank::single.inner.ledger, (void *)&bank::grid[1][1], (void *)&bank::plain, (void *)&bank::single,
                 (void *)&accounts[1].name[3]);
          puts("ready");
          fflush(stdout);
          pause();
        }
        """)
    let running = try RunningProgram(program)
    let addresses = try running.readLine().split(separator: " ").compactMap { UInt64($0.dropFirst(2), radix: 16) }
    #expect(try running.readLine() == "ready")
    try #require(addresses.count == 7)
    let process = try LiveProcess(pid: running.pid)
    let symbolizer = Symbolizer(modules: try process.modules(), files: ModuleFiles(root: .process(process)))
    let found = addresses.map { symbolizer.variablePath(at: Address($0)) ?? "" }
    if flags == ["-g0"] {
      #expect(found[0].hasPrefix("accounts+") && found[4] == "bank::plain" && found[5] == "bank::single")
    } else {
      #expect(found[0] == "accounts[2].lock")
      #expect(found[1] == "accounts[1].guard")
      #expect(found[2] == "bank::single.inner.ledger")
      // Its two indices are not told apart.
      #expect(found[3] == "bank::grid+160")
      #expect(found[4] == "bank::plain")
      #expect(found[5] == "bank::single.before")
      #expect(found[6] == "accounts[1].name[3]")
    }
  }
}
