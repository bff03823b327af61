import LockjawModel

/// For a hang whose holder is not known: which knowledge is missing, and the command that gets it.
struct HangUnknownAdvice {
  let finding: Finding
  let index: ReportIndex

  var steps: [String] { [blindLibraries, fromTheStart, symbols, otherSide].compactMap { $0 } }

  /// Locks whose acquire is inlined leave no owner anywhere.
  private var blindLibraries: String? {
    let locks = finding.edges.filter { $0.evidence == .none }.compactMap { index.lock($0.lock) }
    let libraries = StackText.unique(locks.map(\.library)).filter(Self.isBlind)
    guard !libraries.isEmpty else { return nil }
    return
      "Missing: the holder. These locks (\(ReportIndex.list(libraries))) do not say who holds them, and taking one is "
      + "no call that lockjaw could see. Look in the stacks for a frame that took one of these locks and is still running: its guard is alive."
  }

  /// Anything but glibc takes its locks inline, past every interposer. What libc++ waits for by itself are atomics, which
  /// nobody takes; its locks are glibc's.
  private static func isBlind(_ library: String) -> Bool {
    !library.isEmpty && library != "glibc" && library != libcxx
  }
  private static let libcxx = LockLibrary.libcxx.rawValue

  /// Only a process that was preloaded from its start has told who holds what.
  private var fromTheStart: String? {
    let hasHolderlessPthread = finding.edges.contains { edge in
      edge.evidence == .none && !Self.isBlind(index.lock(edge.lock)?.library ?? "")
        && [.mutex, .rwlock, .spinlock, .semaphore].contains(index.lock(edge.lock)?.type)
    }
    // Waits of the past are what only a preloaded process has told.
    guard hasHolderlessPthread, index.report.source != "arena", index.report.history.isEmpty else { return nil }
    let command = index.report.process.command
    return "Missing: who took these locks. Start the program under lockjaw and let it hang again: "
      + "`lockjaw run -- \(Self.canBeTyped(command) ? command : "COMMAND")`."
  }

  /// The arguments are kept without the quotes that a shell would want around some.
  private static func canBeTyped(_ command: String) -> Bool {
    !command.isEmpty && command.utf8.count <= 120
      && command.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        default: " ._-/=:,+@%".utf8.contains(byte)
        }
      }
  }

  private var symbols: String? {
    var counts: [String: Int] = [:]
    for tid in finding.involved {
      for frame in index.thread(tid)?.stack ?? [] where frame.function == nil && frame.module != "?" {
        counts[frame.module, default: 0] += 1
      }
    }
    // The module with the most nameless frames first: its symbols help most.
    let modules = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
    guard !modules.isEmpty else { return nil }
    return
      "Missing: the names of functions in \(ReportIndex.list(modules, limit: 4)). Install the packages' debug symbols "
      + "(Debian: `apt install PACKAGE-dbgsym`), set DEBUGINFOD_URLS, or build with -g; then run the same command again."
  }

  /// Waits that no lock explains end by an event: its sender is what is missing.
  private var otherSide: String? {
    let locks = finding.lockIDs.compactMap(index.lock)
    let types = Set(locks.filter { !($0.type == .futex && Self.isBlind($0.library)) }.map(\.type))
    var senders: [String] = []
    if types.contains(.condition) { senders.append("who should signal the condition") }
    if types.contains(.semaphore) { senders.append("who should post the semaphore") }
    if types.contains(.barrier) { senders.append("which thread has not reached the barrier") }
    if locks.contains(where: { $0.type == .futex && $0.library == Self.libcxx }) {
      senders.append("who should change the atomic and notify")
    }
    if locks.contains(where: { $0.type == .futex && $0.library != Self.libcxx && !Self.isBlind($0.library) }) {
      senders.append("who should wake the futex")
    }
    guard !senders.isEmpty else { return nil }
    return "Find \(ReportIndex.list(senders)): it is among the other threads, or it has ended."
  }
}
