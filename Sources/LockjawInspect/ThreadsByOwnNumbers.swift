import LockjawModel

/// A running process' threads, asked for by the numbers they have in the process' own pid namespace: those that its
/// lock words and its arena name.
///
/// Where that namespace is ours the numbers are the kernel's own. Elsewhere (a container, `unshare --pid`) a number of
/// theirs is some other thread's, or nobody's, here; so each question goes through a list that is made when it is
/// needed and checked whenever it is used, since a number is given to another thread once its own has ended.
///
/// Belongs to one thread.
package final class ThreadsByOwnNumbers {
  private let process: LiveProcess
  private let namespace: PidNamespace
  /// Their number to ours.
  private var ours: [ThreadID: ThreadID] = [:]

  package init(_ process: LiveProcess) {
    self.process = process
    namespace = PidNamespace(process)
  }

  /// The process lives in another pid namespace than this one.
  package var areTranslated: Bool { namespace.isForeign }

  /// Every thread that is listed.
  package var ids: [ThreadID] {
    guard namespace.isForeign else { return process.threadIDs }
    list()
    return Array(ours.keys)
  }

  /// `nil` where the process has no such thread.
  package func thread(_ tid: ThreadID) -> LiveThread? { number(of: tid).flatMap { process.thread($0) } }
  package func kernelState(of tid: ThreadID) -> KernelState {
    number(of: tid).map { process.kernelState(of: $0) } ?? .gone
  }
  package func activity(of tid: ThreadID) -> String {
    number(of: tid).map { process.activity(of: $0) } ?? "has ended"
  }
  package func processorUse(of tid: ThreadID) -> ProcessorUse? {
    number(of: tid).flatMap { process.processorUse(of: $0) }
  }
  /// Nothing where the numbers are not ours: what it waits for names processes by theirs.
  package func elaboration(of tid: ThreadID) -> [String] {
    namespace.isForeign ? [] : process.elaboration(of: tid)
  }

  /// Whether the process' memory may name a thread of this number because it was copied from another process by a fork:
  /// the number was given out before the process' own, or a thread elsewhere has it. A lock that was held over the fork
  /// is such a word; who has it in the copy nobody says.
  package func mayBeFromBeforeFork(_ tid: ThreadID) -> Bool {
    guard process.isForkedCopy else { return false }
    // Numbers are given out in ascending order, but for the turn at the end.
    if tid.rawValue < process.ownNumber { return true }
    guard namespace.isForeign else { return LiveProcess.startTicks(of: tid) != nil }
    return LiveProcess.inOtherPidNamespaces().contains { $0.ownNumber == tid.rawValue }
  }

  /// Our number for the thread; `nil` where the process has none of that number.
  private func number(of tid: ThreadID) -> ThreadID? {
    guard namespace.isForeign else { return tid }
    if let known = ours[tid], namespace.innerIfListed(known.rawValue) == tid { return known }
    list()
    return ours[tid]
  }

  private func list() {
    ours = process.threadIDs.reduce(into: [:]) { ours, here in
      if let inner = namespace.innerIfListed(here.rawValue) { ours[inner] = here }
    }
  }
}
