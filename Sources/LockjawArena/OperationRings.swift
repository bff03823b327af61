import CLockjawABI
import LockjawModel

extension ArenaReader {
  /// The newest operations of every slot that has a ring, and the clock that dates them.
  ///
  /// Read while threads go on: what they overwrite meanwhile is left out and counted as lost. So are the rings of further
  /// slots once `byteLimit` bytes have been read: `operations(inSlot:)` has those.
  package func operations(
    byteLimit: Int = 64 << 20
  ) -> (histories: [RecordedHistory], clock: TickClock?) {
    operations(inSlots: 0..<slotCount, byteLimit: byteLimit)
  }

  /// The same for some slots; those that are not there, or have no ring, are passed over.
  package func operations(
    inSlots slots: some Sequence<Int>, byteLimit: Int = 64 << 20
  ) -> (histories: [RecordedHistory], clock: TickClock?) {
    var budget = HistoryBudget(min(publishedHistoryBytes, byteLimit))
    var histories: [RecordedHistory] = []
    var points: [TickClock.Point] = []
    for slot in slots {
      guard let read = ring(inSlot: slot, within: &budget) else { continue }
      histories.append(read.history)
      points += read.points
    }
    return (histories, clock(points))
  }

  /// The same for one slot; `nil` where it has no ring.
  package func operations(inSlot slot: Int) -> RecordedHistory? {
    var budget = HistoryBudget(publishedHistoryBytes)
    return ring(inSlot: slot, within: &budget)?.history
  }

  private func clock(_ points: [TickClock.Point]) -> TickClock? {
    // The header read when the arena was opened may be older than the decision.
    let word = loadAcquire32(MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.tick_source)!)
    guard let source = TickClock.Source(abi: word) else { return nil }
    let creation = TickClock.Point(ticks: header.ticksAtCreation, instant: header.created)
    return TickClock(source: source, points: points + (header.ticksAtCreation == 0 ? [] : [creation]))
  }

  private func ring(
    inSlot slot: Int, within budget: inout HistoryBudget
  ) -> (history: RecordedHistory, points: [TickClock.Point])? {
    let stride = MemoryLayout<lj_operation>.size
    guard let at = history(inSlot: slot) else { return nil }
    let capacity = Int(loadAcquire32(at + Self.capacity))
    guard capacity > 0, capacity <= LJ_RING_LARGEST, capacity & (capacity - 1) == 0,
      let base = historyRange(unit: loadAcquire32(at + Self.unit), byteCount: capacity * stride)
    else { return nil }

    let head = loadAcquire64(at + Self.head)
    guard budget.take(capacity * stride) else {
      return (RecordedHistory(slot: slot, operations: [], lost: head, unfinished: 0), [])
    }
    let copied = Int(min(head, UInt64(capacity)))
    var places: [lj_operation?] = []
    places.reserveCapacity(copied)
    let oldest = header.ringsStop || head < UInt64(capacity) ? 0 : head - UInt64(capacity)
    for number in oldest..<oldest + UInt64(copied) {
      let place = base + Int(number % UInt64(capacity)) * stride
      // Acquire: an operation whose stamp is this number's is complete.
      let stamp = loadAcquire32(place + Self.stamp)
      let operation = load(lj_operation.self, at: place)
      places.append(stamp == UInt32(truncatingIfNeeded: number &+ 1) ? operation : nil)
    }
    lj_fence_acquire()
    // Whoever writes over a number has raised the head beyond it before.
    let now = loadAcquire64(at + Self.head)
    let firstValid = header.ringsStop || now < UInt64(capacity) ? 0 : now - UInt64(capacity)
    let skipped = Int(min(UInt64(copied), firstValid > oldest ? firstValid - oldest : 0))

    var attribution = Attribution(tid: tid(inSlot: slot))
    var read = RecordedHistory(
      slot: slot, operations: [], lost: head > UInt64(capacity) ? head - UInt64(capacity) : 0, unfinished: 0)
    if !header.ringsStop { read.lost += UInt64(skipped) }
    for (index, place) in places.enumerated().dropFirst(skipped) {
      guard let place else {
        read.unfinished += 1
        continue
      }
      attribution.take(place, number: oldest + UInt64(index))
    }
    read.operations = attribution.operations
    return (read, attribution.points)
  }

  private static let head = MemoryLayout<lj_history>.offset(of: \lj_history.operations_head)!
  private static let unit = MemoryLayout<lj_history>.offset(of: \lj_history.operations_unit)!
  private static let capacity = MemoryLayout<lj_history>.offset(of: \lj_history.operations_capacity)!
  private static let stamp = MemoryLayout<lj_operation>.offset(of: \lj_operation.stamp)!
}

/// Says of each operation which of the threads that had the slot did it.
private struct Attribution {
  private(set) var operations: [RecordedOperation] = []
  private(set) var points: [TickClock.Point] = []
  private var tid: ThreadID
  private var knowsThread = false

  /// - Parameter tid: the thread that has the slot now, or had it last.
  init(tid: ThreadID) { self.tid = tid }

  mutating func take(_ raw: lj_operation, number: UInt64) {
    switch Int(raw.operation) {
    case LJ_OP_THREAD_BEGIN:
      // What came before it was the earlier thread's; only the ring's first such mark has something to correct.
      if !knowsThread {
        let before = Self.thread(raw.site)
        for index in operations.indices { operations[index].tid = before }
      }
      tid = Self.thread(raw.object)
      knowsThread = true
    case LJ_OP_THREAD_END:
      if !knowsThread {
        tid = Self.thread(raw.object)
        for index in operations.indices { operations[index].tid = tid }
        knowsThread = true
      }
    case LJ_OP_CLOCK:
      points.append(TickClock.Point(ticks: raw.ticks, instant: Instant(nanoseconds: raw.object)))
    default:
      if let operation = RecordedOperation(raw, number: number, tid: tid) { operations.append(operation) }
    }
  }

  private static func thread(_ number: UInt64) -> ThreadID { ThreadID(Int32(truncatingIfNeeded: number)) }
}

extension RecordedOperation {
  fileprivate init?(_ raw: lj_operation, number: UInt64, tid: ThreadID) {
    guard let kind = Kind(abi: raw.operation), let type = LockType(abi: raw.kind),
      let mode = LockMode(abi: raw.mode & ~UInt8(LJ_OP_UNTIMED))
    else { return nil }
    let flags = kind == .acquire ? Int(raw.detail) : 0
    self.init(
      number: number, tid: tid, kind: kind, type: type, mode: mode, object: Address(raw.object),
      site: Address(raw.site), ticks: raw.ticks, isTimed: Int(raw.mode) & LJ_OP_UNTIMED == 0,
      isContended: flags & LJ_HELD_CONTENDED != 0, isRelock: flags & LJ_HELD_RELOCKED != 0,
      outcome: kind == .waitEnd ? PastWait.Outcome(abi: raw.detail) : nil)
  }
}
