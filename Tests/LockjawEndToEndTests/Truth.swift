/// What a sample's source says about its own hang: the expectation every end-to-end test is derived from.
///
/// The grammar is described in Samples/README.md. A comment that does not follow it is an error, never ignored: a
/// misspelt truth would be a test that cannot fail.
struct Truth: Equatable, Sendable {
  /// How the program ends when nobody ends it.
  enum Ending: Equatable, Sendable {
    case never
    case exit
    case signal(Int32)
  }

  struct Hold: Equatable, Sendable {
    var lock: String
    var thread: String
    var mode: String?
    var line: Int
  }

  struct Wait: Equatable, Sendable {
    enum Target: Equatable, Sendable {
      case lock(String)
      case joined(thread: String)
    }
    var target: Target
    var thread: String
    var mode: String?
    /// The pending writer that stands in front, where no holder does.
    var behind: String?
    var line: Int
  }

  /// Where the guard of a hold would have ended, and what type it is of.
  struct Release: Equatable, Sendable {
    var lock: String
    var thread: String
    var guardType: String
    var line: Int
  }

  struct Place: Equatable, Sendable {
    var thread: String
    var line: Int
  }

  /// Accepted verdicts; empty: any.
  var verdicts: Set<String>
  /// Verdicts that are true for an instant before the full one is, while its last thread is on its way.
  var precursors: Set<String> = []
  /// Accepted certainties; empty: any.
  var certainties: Set<String> = []
  /// Threads with a wait of their own in the finding.
  var threadCount: Int?
  var bystanderCount: Int?
  /// Processes that the finding goes through.
  var processCount = 1
  var ending = Ending.never
  /// The statements' lines are in the native stack. False for interpreted programs.
  var hasNativeLines = true
  /// The library sleeps with a limit of its own, and again when that runs out.
  var sleepsAreRenewed = false
  var holds: [Hold] = []
  var waits: [Wait] = []
  var releases: [Release] = []
  var bystanders: [Place] = []
  /// Waits that the kernel or the library refused.
  var refusals: [Place] = []

  /// Threads that hold what `wait` is for, or stand in front of it.
  func holders(for wait: Wait) -> Set<String> {
    if let behind = wait.behind { return [behind] }
    switch wait.target {
    case .joined(let thread): return [thread]
    case .lock(let lock): return Set(holds.lazy.filter { $0.lock == lock }.map(\.thread))
    }
  }

  /// The line on which `thread` took what `wait` is for.
  func line(where thread: String, acquiredFor wait: Wait) -> Int? {
    guard case .lock(let lock) = wait.target else { return nil }
    return holds.first { $0.lock == lock && $0.thread == thread }?.line
  }

  /// Where the guard of what `thread` holds and `wait` is for would have ended.
  func release(by thread: String, of wait: Wait) -> Release? {
    guard case .lock(let lock) = wait.target else { return nil }
    return releases.first { $0.lock == lock && $0.thread == thread }
  }
}

struct TruthError: Error, Equatable, CustomStringConvertible {
  var line: Int
  var reason: String
  var description: String { "line \(line): \(reason)" }
}
