import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

private let inlinedC = """
  #include <pthread.h>
  #include <stdio.h>
  #include <unistd.h>
  static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
  int counter = 42;
  static long zeroed[64];
  static inline __attribute__((always_inline)) void take(pthread_mutex_t *m) {
    pthread_mutex_lock(m); // LINE: take
  }
  static inline __attribute__((always_inline)) void audit(int depth) {
    counter += depth;
    take(&guard); // LINE: audit
    counter -= depth;
  }
  __attribute__((noinline)) static void *transfer(void *argument) {
    pthread_setname_np(pthread_self(), "worker");
    audit(1); // LINE: transfer
    counter++;
    return argument;
  }
  int main(void) {
    pthread_t thread;
    pthread_mutex_lock(&guard);
    pthread_create(&thread, NULL, transfer, NULL);
    printf("%p %p %p\\n", (void *)&counter, (void *)&zeroed[3], (void *)&guard);
    puts("ready");
    fflush(stdout);
    pthread_join(thread, NULL); // LINE: join
    return (int)zeroed[0];
  }
  """

@Suite("Symbols")
struct SymbolizerTests {
  @Test("C: functions, lines and inlined calls", arguments: ["-O0", "-O2"])
  func cFrames(optimisation: String) throws {
    let program = try Program(.c, name: "inlined", flags: ["-g", optimisation], source: inlinedC.quiet)
    let target = try Target(program, sleepers: 2)
    let frames = try target.frames(ofThread: "worker")
    func line(_ marker: String) -> String { String(program.line(marker) ?? -1) }
    #expect(
      frames.outline == ["take:\(line("take")) inlined", "audit:\(line("audit")) inlined", "transfer:\(line("transfer"))"])
    #expect(frames.filter { !$0.isPlumbing }.allSatisfy { $0.file == program.sourcePath })
    #expect(frames.first?.isPlumbing == true)
    #expect(target.symbolizer.diagnostics == [])
    #expect(try target.frames(ofThread: "inlined").outline == ["main:\(line("join"))"])
  }
}

extension String {
  /// Without the line that prints addresses.
  fileprivate var quiet: String {
    split(separator: "\n", omittingEmptySubsequences: false).map { $0.contains("printf(") ? "" : String($0) }
      .joined(separator: "\n")
  }
}
