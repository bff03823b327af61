import LockjawModel

/// Loops that said when they would next be heard of, and were not.
///
/// H1. A heartbeat that is late is missed: a fact of one clock, no matter what its thread does. So the finding is *proven*.
/// H2. Where the thread that beat last is part of a hang that has a name, or stuck behind one, that finding is the
///     explanation and says so; there is none beside it.
/// H3. Otherwise it is a finding of its own, with what the thread waits for, if anything.
/// H4. A process in which a heartbeat is missed is not idle.
extension Diagnosis {
  /// - Parameters:
  ///   - missed: heartbeats that are late at the moment of `graph`.
  ///   - kernel: what a thread does.
  package func adding(
    _ missed: [Heartbeat], of graph: WaitForGraph, kernel: (ThreadID) -> KernelState?
  ) -> Diagnosis {
    guard !missed.isEmpty else { return self }
    var findings = findings.filter { $0.kind != .idle }
    for beat in missed {
      if let explanation = findings.firstIndex(where: { $0.explains(beat.thread) }) {
        findings[explanation].evidence.append(
          "heartbeat: \"\(beat.name)\" is missed (due every \(beat.withinMilliseconds) ms); thread \(beat.thread), which "
            + "beat last, is stuck here.")
        continue
      }
      findings.append(
        RawFinding(
          kind: .missedHeartbeat, certainty: .proven, edges: graph.edges.filter { $0.waiter == beat.thread },
          members: [beat.thread], culprit: beat.thread, culpritState: kernel(beat.thread), evidence: [],
          heartbeat: beat))
    }
    return rebuilt(findings)
  }
}

extension RawFinding {
  /// Whether it says why this thread does not go on.
  fileprivate func explains(_ thread: ThreadID) -> Bool {
    guard kind.isHang, kind != .hangUnknown, kind != .missedHeartbeat else { return false }
    return members.contains(thread) || bystanders.contains(thread)
  }
}
