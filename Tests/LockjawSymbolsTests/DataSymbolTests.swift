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
}
