import LockjawInspect
import LockjawModel

/// What languages' runtimes keep to themselves: locks that are objects of their own heaps, flows of control that are no
/// threads. A report about such a process must not pass for the whole truth, so it says what it lacks and who has it.
enum RuntimeLimits {
  private struct Limit {
    /// File names of modules that only such a program has: their beginnings.
    var modules: [String]
    /// A section that only such an executable has; it survives stripping.
    var section: String? = nil
    var sentence: String
    /// The shim sees what a look alone does not.
    var isLiftedByShim = false
  }

  private static let limits: [Limit] = [
    Limit(
      modules: ["libjvm.so"],
      sentence:
        "Java: monitors (synchronized) and the locks of java.util.concurrent are objects of the JVM. A thread that "
        + "waits for one is seen waiting on a condition of its own; for which lock and whose, and a deadlock of Java "
        + "threads, is not seen. Ask the JVM: 'jstack PID', or kill -QUIT PID."),
    Limit(
      modules: ["libcoreclr.so"],
      sentence: ".NET: monitors (lock) are objects of the runtime. A thread that waits for one is seen waiting on a "
        + "condition of its own; for which lock and whose is not seen. Ask the runtime: 'dotnet-stack report -p PID'."),
    Limit(
      modules: [], section: ".note.go.buildid",
      sentence:
        "Go: goroutines that wait for a mutex or a channel are no threads and are not seen; the library reaches no "
        + "Go lock, since Go calls the kernel by itself. Ask the program: kill -QUIT PID prints every goroutine and ends it."
    ),
    // Linked into a Swift executable, the two libraries are no modules; what they share with every Swift executable is.
    Limit(
      modules: ["libswift_Concurrency.so", "libdispatch.so"], section: "swift5_protocols",
      sentence:
        "Swift concurrency and libdispatch: a task that awaits has no thread and is not seen; which task has an actor, and "
        + "which block a queue, are words inside these libraries. A thread that waits for one is seen waiting, with its "
        + "caller; for whom is not seen."),
    Limit(
      modules: ["beam.smp"],
      sentence: "Erlang: its processes are no threads; one that waits for a message is not seen. Ask the emulator: "
        + "'observer', or erlang:process_info/2."),
    Limit(
      modules: ["libruby"],
      sentence:
        "Ruby: a thread that waits for a Mutex or Queue is seen waiting on a condition of its own; whose the Mutex "
        + "is, Ruby keeps to itself. Ask Ruby: Thread.list.map(&:backtrace) in a signal handler."),
    Limit(
      modules: ["python3", "libpython3"],
      sentence: "Python: a threading.Lock is a semaphore here, and nothing says who has it. Start the program with "
        + "'lockjaw run' to have that recorded.", isLiftedByShim: true),
  ]

  /// One sentence for each runtime that is in the process.
  /// - Parameter hasArena: the process was started with the shim.
  static func sentences(_ modules: [Module], files: ModuleFiles, hasArena: Bool) -> [String] {
    let names = modules.map { module in module.path.split(separator: "/").last ?? "" }
    // Libraries lie above the executable, wherever the kernel put it.
    let executable = modules.min { $0.start < $1.start }
    return limits.compactMap { limit in
      guard !(hasArena && limit.isLiftedByShim) else { return nil }
      let isNamed = names.contains { name in limit.modules.contains { name.hasPrefix($0) } }
      let isMarked = limit.section.map { section in
        executable.flatMap { files.file(for: $0) }?.section(named: section) != nil
      }
      return isNamed || isMarked == true ? limit.sentence : nil
    }
  }
}
