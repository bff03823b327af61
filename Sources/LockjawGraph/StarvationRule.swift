import LockjawModel

/// Holders that would go on if the host let them run.
///
/// S1. A long hold is *host-starved* where its holder was ready to run for most of a short watch and ran for little of it: the
///     program does nothing wrong that the watch could see.
/// S2. A control group that was held back by its quota during the watch counts like a busy processor.
/// S3. Where the watcher itself came late by more than it watched, its own view is of a starved host: the finding is
///     *suspect*, whatever it is.
/// S4. The watch is short and the wait was long: never more than *inferred*.
/// S5. A heartbeat whose thread was ready to run and not let is *suspect*: it is missed, and nothing hangs.
extension RawFinding {
  private static let mostlyDelayed = 0.5
  private static let hardlyRan = 0.25

  /// The finding in the light of what its culprit got of the processors.
  package func weighed(with use: ProcessorUse) -> RawFinding {
    guard kind == .longHold || kind == .missedHeartbeat, let culprit, use.watchedNanoseconds > 0 else { return self }
    var weighed = self
    let watched = Double(use.watchedNanoseconds)
    let delayed = Double(use.delayedNanoseconds) / watched
    let ran = Double(use.ranNanoseconds) / watched
    let isHeldBack = (use.throttledNanoseconds.map { Double($0) / watched } ?? 0) >= Self.mostlyDelayed
    weighed.evidence.append(
      "kernel: watched for \(words(use.watchedNanoseconds)), thread \(culprit) ran for \(words(use.ranNanoseconds)) and waited "
        + "ready for a processor for \(words(use.delayedNanoseconds)); it has used \(words(use.totalNanoseconds)) of processor "
        + "time in all.")
    if delayed >= Self.mostlyDelayed || isHeldBack, ran <= Self.hardlyRan {
      // A heartbeat is missed whoever is to blame.
      if kind == .longHold { weighed.kind = .hostStarved } else { weighed.certainty = .suspect }
      if let percent = use.hostPressurePercent {
        weighed.evidence.append(
          "kernel: in the last 10 s some thread of this machine waited for a processor \(Int(percent.rounded())) % of the time."
        )
      }
      if isHeldBack {
        weighed.evidence.append(
          "kernel: the quota of its control group (cpu.max) held it back for \(words(use.throttledNanoseconds ?? 0)) of the watch."
        )
      }
    }
    if use.watchedNanoseconds > 2 * use.intendedNanoseconds,
      use.watchedNanoseconds - use.intendedNanoseconds > 50_000_000
    {
      weighed.certainty = .suspect
      weighed.evidence.append(
        "lockjaw itself was late: it meant to watch for \(words(use.intendedNanoseconds)). The host is short of processor time."
      )
    }
    return weighed
  }

  private func words(_ nanoseconds: UInt64) -> String {
    let milliseconds = Double(nanoseconds) / 1e6
    if milliseconds >= 10_000 { return "\(Int(milliseconds / 1000)) s" }
    return milliseconds >= 10 ? "\(Int(milliseconds.rounded())) ms" : "\((milliseconds * 10).rounded() / 10) ms"
  }
}

extension Diagnosis {
  /// The same with long holds weighed by what their holders got of the processors.
  /// - Parameter use: watches a thread; asked only of holders that the kernel says are running.
  package func weighingHolders(_ use: (ThreadID) -> ProcessorUse?) -> Diagnosis {
    func isWeighed(_ finding: RawFinding) -> Bool {
      (finding.kind == .longHold || finding.kind == .missedHeartbeat) && finding.culpritState == .running
    }
    guard findings.contains(where: isWeighed) else { return self }
    let weighed = findings.map { finding in
      guard isWeighed(finding), let culprit = finding.culprit,
        let use = use(culprit)
      else { return finding }
      return finding.weighed(with: use)
    }
    return rebuilt(weighed)
  }
}
