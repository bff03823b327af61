import LockjawArena
import LockjawHistory
import LockjawInspect
import LockjawModel

// What the arena has recorded of the past: contended waits, operations, counts.
extension ReportBuilder {
  func history(_ limit: Int) -> [HistoryEntry] {
    guard limit > 0, let arena else { return [] }
    let entries = arena.history(limit: limit)
    // Of a dead process "now" is the last thing it recorded: how long ago that was is nobody's business.
    let end =
      target.condition == "gone"
      ? entries.map { $0.wait.begin.nanoseconds &+ $0.wait.durationNanoseconds }.max().map { Instant(nanoseconds: $0) }
        ?? examination.now
      : examination.now
    return entries.map { entry in
      let wait = entry.wait
      return HistoryEntry(
        thread: entry.tid, threadName: entry.threadName, lock: wait.object, type: wait.type, mode: wait.mode,
        site: stackReader.frame(at: wait.site), beganSecondsAgo: end.seconds(since: wait.begin),
        durationSeconds: Double(wait.durationNanoseconds) / 1e9, outcome: wait.outcome)
    }
  }

  // MARK: - Operations

  /// Rings that are read for a report; each may have 4 MiB.
  private static let mostRings = 64

  /// Adds each thread's newest operations, where the process keeps them.
  func addFlightRecords(to threads: inout [ThreadReport], limit: Int) {
    guard limit > 0, let arena, arena.hasHistory else { return }
    var slots: [ThreadID: Int] = [:]
    for thread in threads.prefix(Self.mostRings) where thread.process == nil {
      slots[thread.tid] = byThread[thread.tid]?.slot ?? idleSlots[thread.tid]
    }
    let (histories, clock) = arena.operations(inSlots: slots.values.sorted())
    let rings = Dictionary(histories.map { ($0.slot, $0) }, uniquingKeysWith: { first, _ in first })
    // A ring goes on while it is read, and of a dead process its last operation is the latest known moment.
    let newest = histories.compactMap { $0.operations.last { $0.isTimed } }.compactMap {
      clock?.instant(ofTicks: $0.ticks)
    }
    let end = target.condition == "gone" ? newest.max() ?? examination.now : examination.now
    for index in threads.indices {
      guard let slot = slots[threads[index].tid], let ring = rings[slot] else { continue }
      let own = ring.operations.filter { $0.tid == threads[index].tid }
      let shown = own.suffix(limit).reversed().map { entry($0, clock, end) }
      threads[index].flightRecord = FlightRecord(
        operations: shown, olderInRing: own.count - shown.count, lost: ring.lost)
    }
  }

  private func entry(_ operation: RecordedOperation, _ clock: TickClock?, _ end: Instant) -> OperationEntry {
    let instant = operation.isTimed ? clock?.instant(ofTicks: operation.ticks) : nil
    return OperationEntry(
      kind: operation.kind, lock: operation.object, type: operation.type, mode: operation.mode,
      site: stackReader.frame(at: CallSite(address: operation.site)),
      secondsAgo: instant.map { end.seconds(since: $0) } ?? .nan, isContended: operation.isContended,
      outcome: operation.outcome)
  }

  // MARK: - Counts

  /// What was counted; `nil` where nothing was, or none of it is to be shown.
  func profile(_ limit: Int) -> Profile? {
    guard limit > 0, let arena, arena.hasHistory else { return nil }
    let counts = arena.siteCounts()
    guard !counts.isEmpty else { return nil }
    // Waits of a process that is gone or was read from a core are as old as the last thing it recorded.
    let waiting = examination.threads.compactMap { thread -> Contention.OngoingWait? in
      guard thread.process == nil, thread.slot >= 0, let wait = thread.wait, !wait.isFromKernel else { return nil }
      return Contention.OngoingWait(
        object: wait.object, type: wait.type, mode: wait.mode, site: wait.site,
        seconds: examination.now.seconds(since: wait.since))
    }
    let names = ownNames.isEmpty ? arena.lockNames() : ownNames
    return Profile(
      Contention(counts, waiting: waiting), level: arena.level, limit: limit,
      naming: Profile.Naming(
        frame: { stackReader.frame(at: $0) }, name: { names[$0] ?? stackReader.name(of: $0) }),
      notes: profileNotes(arena, counts))
  }

  private func profileNotes(_ arena: ArenaReader, _ counts: [SiteCount]) -> [String] {
    var notes: [String] = []
    if arena.level == .state {
      notes.append("The process counts no more: its level is 'state' now. This is what it had counted until then.")
    } else if arena.header.initialLevel == .state {
      notes.append("Counting began while the process ran; what came before is not in it.")
    }
    let losses = arena.losses()
    for (cause, what) in [
      ("uncounted", "found no place in their thread's tables"), ("no-slot", "were of threads without a slot"),
    ] {
      if let count = losses[cause], count > 0 { notes.append("\(count) operations are missing: they \(what).") }
    }
    if counts.contains(where: { $0.object == nil }) {
      notes.append(
        "Some threads use more locks at more places than a table of theirs takes: there the locks of a call site are counted "
          + "together.")
    }
    return notes
  }
}
