import LockjawModel

/// What to do about a cycle that goes through what the kernel keeps: file locks, pipes, sockets, children.
struct ProcessAdvice {
  let finding: Finding
  let index: ReportIndex

  var steps: [String] {
    let types = Set(finding.edges.compactMap(index.lockType))
    var steps: [String] = []
    if types.contains(.pipe) || types.contains(.socket) {
      steps.append(
        types.contains(.child)
          ? "Who starts a child and waits for its end must first close the ends of pipes that the child reads to their end, and "
            + "empty those that it writes into. After fork, close in each process the ends that it does not use."
          : "Close the ends that a process does not use right after fork, or open them with O_CLOEXEC: who reads to the end "
            + "waits as long as anybody, itself included, could still write.")
    }
    if types.contains(.fileLock) {
      steps.append(
        "Take these file locks in the same order in every program that uses them, or ask without waiting (LOCK_NB, F_SETLK) "
          + "and release what is held before trying again.")
    }
    if steps.isEmpty { steps.append("Let one of these processes stop waiting for the other while that waits for it.") }
    return steps
  }
}

extension Advice {
  /// The cycle goes through something that no lock order mends.
  var isOverProcesses: Bool {
    finding.edges.contains { index.lockType(of: $0)?.isKernelObject ?? false }
  }
}
