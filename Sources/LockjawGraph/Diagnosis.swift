import LockjawModel

/// A finding in the graph's own words; the stacks and lines come later.
package struct RawFinding: Hashable, Sendable {
  package var kind: FindingKind
  package var certainty: Certainty
  /// In the order of the cycle, or one per waiter, longest wait first.
  package var edges: [CandidateEdge]
  /// Threads the finding is about: members of a cycle; else the waiters.
  package var members: [ThreadID]
  /// Threads stuck behind the members.
  package var bystanders: [ThreadID]
  /// The thread to blame: the last holder, the exited owner. `nil` for cycles and where nobody is known.
  package var culprit: ThreadID?
  /// What `culprit` is doing, where the kernel was asked.
  package var culpritState: KernelState?
  /// Sentences: what each witness said, and why the certainty is not higher.
  package var evidence: [String]
  /// Of a missed heartbeat.
  package var heartbeat: Heartbeat?

  package init(
    kind: FindingKind, certainty: Certainty, edges: [CandidateEdge], members: [ThreadID],
    bystanders: [ThreadID] = [], culprit: ThreadID? = nil, culpritState: KernelState? = nil, evidence: [String],
    heartbeat: Heartbeat? = nil
  ) {
    self.heartbeat = heartbeat
    self.kind = kind
    self.certainty = certainty
    self.edges = edges
    self.members = members
    self.bystanders = bystanders
    self.culprit = culprit
    self.culpritState = culpritState
    self.evidence = evidence
  }
}

/// Everything the graph of one moment says.
///
/// The rules are asked in the order of their findings' severity, and each takes only waits that none before it has
/// explained: cycles (`CandidateSearch`, judged by `Witnesses`), orphaned locks, long holds, hangs without a known
/// holder, contention, idleness. A process of which none has anything to say is healthy.
package struct Diagnosis: Hashable, Sendable {
  package var verdict: FindingKind
  /// Most serious first.
  package var findings: [RawFinding]

  /// - Parameters:
  ///   - witnesses: judges the cycles; without it none is proven.
  ///   - now: the moment of `graph`.
  ///   - stall: seconds after which a wait is a finding.
  ///   - isEndUnknown: `now` is only the last moment on record of a process that is gone.
  package static func of(
    _ graph: WaitForGraph, witnesses: Witnesses? = nil, now: Instant, stall: Double, isEndUnknown: Bool = false
  ) -> Diagnosis {
    var survey = Survey(graph, now: now, stall: stall, isEndUnknown: isEndUnknown)
    var findings = survey.cycles(witnesses)
    findings += survey.orphanedLocks()
    let isExplained = !findings.isEmpty
    findings += survey.longHolds()
    findings += survey.unknownHangs(isExplained: isExplained)
    findings += survey.contention()
    if findings.isEmpty { findings += survey.idleness() }
    // A cycle's own witnesses have spoken of its locks.
    for index in findings.indices where !survey.isOfCycle(findings[index]) {
      findings[index].evidence += graph.notes(about: Set(findings[index].edges.map(\.object)))
    }
    // Stable: within one kind the order of the rules.
    findings = findings.enumerated().sorted {
      ($0.element.kind, $0.offset) < ($1.element.kind, $1.offset)
    }.map(\.element)
    return Diagnosis(verdict: verdict(of: findings), findings: findings)
  }

  /// The same without the findings that `isConfirmed` does not vouch for.
  package func keeping(_ isConfirmed: (RawFinding) -> Bool) -> Diagnosis {
    let kept = findings.filter(isConfirmed)
    return kept.count == findings.count ? self : Diagnosis(verdict: Self.verdict(of: kept), findings: kept)
  }

  /// Without what a process that is stopped as a whole shows only because it is: that nobody is awake to end a wait, and
  /// that its holders do not move.
  package func ofStopped() -> Diagnosis {
    keeping { finding in
      switch finding.kind {
      case .hangUnknown, .lostWakeup, .livelock, .missedHeartbeat, .longHold, .hostStarved: false
      default: true
      }
    }
  }

  /// The same verdict rules over other findings, the most serious first.
  func rebuilt(_ findings: [RawFinding]) -> Diagnosis {
    let sorted = findings.enumerated().sorted {
      ($0.element.kind, $0.offset) < ($1.element.kind, $1.offset)
    }.map(\.element)
    return Diagnosis(verdict: Self.verdict(of: sorted), findings: sorted)
  }

  /// With a sentence more among the evidence of some findings.
  package func noting(_ sentence: (RawFinding) -> String?) -> Diagnosis {
    var noted = self
    for index in findings.indices { noted.findings[index].evidence += sentence(findings[index]).map { [$0] } ?? [] }
    return noted
  }

  /// Hangs that rest on the wait of one of these threads are suspect.
  /// - Parameter reason: a sentence; what it waits for is a guess, where nothing else is said.
  package func doubting(
    _ guesses: Set<ThreadID>,
    because reason: String = "That all of these threads wait for these locks is told by values in memory only."
  ) -> Diagnosis {
    guard !guesses.isEmpty else { return self }
    let doubted = findings.map { finding in
      guard finding.kind.isHang, finding.edges.contains(where: { guesses.contains($0.waiter) }) else { return finding }
      var finding = finding
      finding.certainty = .suspect
      finding.evidence.append(reason)
      return finding
    }
    return Diagnosis(verdict: Self.verdict(of: doubted), findings: doubted)
  }

  /// Orphans of which only a word says who had them are suspect where that word may be older than the process.
  /// - Parameter isDoubtful: whether this owner may have been a thread of the process that this one was forked from.
  package func doubtingOwners(where isDoubtful: (ThreadID) -> Bool) -> Diagnosis {
    let doubted = findings.map { finding in
      guard finding.kind == .orphanedLock, finding.certainty != .proven, let owner = finding.culprit,
        finding.edges.contains(where: { $0.evidence == .ownerField && $0.holders.first == owner }), isDoubtful(owner)
      else { return finding }
      var finding = finding
      finding.certainty = .suspect
      finding.evidence.append(
        "kernel: number \(owner) may be of a thread of the process that this one was forked from. A lock that is held over "
          + "a fork keeps the number that its holder had there, and who has it here nobody says.")
      return finding
    }
    return Diagnosis(verdict: Self.verdict(of: doubted), findings: doubted)
  }

  /// With findings about single locks. A hang of which nothing was known is replaced by one that says what it is, and a
  /// lock of a cycle needs no other explanation.
  package func adding(_ others: [RawFinding]) -> Diagnosis {
    let explained = Set(findings.filter { $0.kind != .hangUnknown && $0.kind.isHang }.flatMap(\.members))
    let fresh = others.filter { explained.isDisjoint(with: $0.members) }
    guard !fresh.isEmpty else { return self }
    let told = Set(fresh.flatMap(\.members))
    let kept = findings.filter {
      !(($0.kind == .hangUnknown || $0.kind == .contention || $0.kind == .idle) && !told.isDisjoint(with: $0.members))
    }
    let all = (kept + fresh).enumerated().sorted {
      ($0.element.kind, $0.element.certainty.rank, $0.offset) < ($1.element.kind, $1.element.certainty.rank, $1.offset)
    }.map(\.element)
    return Diagnosis(verdict: Self.verdict(of: all), findings: all)
  }

  /// The most serious hang that is more than a suspicion; else the most serious suspicion of a hang; else the most
  /// serious of the rest.
  private static func verdict(of findings: [RawFinding]) -> FindingKind {
    let hangs = findings.filter(\.kind.isHang)
    return (hangs.first { $0.certainty != .suspect } ?? hangs.first ?? findings.first)?.kind ?? .healthy
  }
}
