import LockjawModel

/// The locks a run is watched for, and what it has done to them so far.
struct LockWatch {
  struct Event: Hashable {
    /// Index among the locks that are watched.
    var lock: Int
    var operation: LockOperation
    /// Of the instruction; of a function that was not run, where it returns to.
    var pc: UInt64
    var isReturnAddress: Bool
    var footing: Disturbance.Footing
    /// Where the calls that lead from the frame under examination to `pc` return to, innermost first.
    var callers: [UInt64]
    /// In the frame itself: `pc`, or where the frame's own call that leads there returns to.
    var ownPC: UInt64 { callers.last ?? pc }
    var ownPCIsReturnAddress: Bool { isReturnAddress || !callers.isEmpty }
  }

  private(set) var locks: [LockSemantics] = []
  /// Releases and acquires in the order they happened, at most `eventLimit` for each lock.
  private(set) var events: [Event] = []
  private var counts: [Int] = []
  /// Kept by whoever drives the run.
  var disturbance = Disturbance()
  /// For each lock the instruction that loaded its word, where nothing else has been done to it since.
  private var lastLoads: [UInt64] = []
  static let eventLimit = 8

  /// Where watched words lie: `reachLow ..< reachLow + reachSpan` holds every first byte of an access that touches one.
  private var reachLow: UInt64 = 0
  private var reachSpan: UInt64 = 0
  /// By rising address: what is looked through when an access falls in reach.
  private var ranges: [(start: UInt64, count: UInt64, lock: Int)] = []

  init(_ locks: [LockSemantics]) { reset(locks) }

  mutating func reset(_ locks: [LockSemantics]) {
    events.removeAll(keepingCapacity: true)
    disturbance = Disturbance()
    // Many runs in a row watch the same locks.
    if locks != self.locks || counts.count != locks.count {
      self.locks = locks
      ranges = locks.enumerated().filter { $0.element.isWatchedInMemory }
        .map { ($0.element.address.rawValue, UInt64($0.element.byteCount), $0.offset) }
        .sorted { $0.start < $1.start }
      reachLow = (ranges.first?.start ?? 0) &- 7
      reachSpan = ranges.isEmpty ? 0 : (ranges.map { $0.start &+ $0.count }.max() ?? 0) &- reachLow
    }
    counts = [Int](repeating: 0, count: locks.count)
    lastLoads = [UInt64](repeating: 0, count: locks.count)
  }

  /// Whether an access that begins at `address` may touch a watched word.
  @inline(__always)
  func mayReach(_ address: UInt64) -> Bool { address &- reachLow < reachSpan }

  /// Notes what `access` means for the lock it touches, if any.
  /// - Parameters:
  ///   - word: what stands there.
  ///   - open: `Processor.openFrames`.
  ///   - calls: those that have not returned, the frame's own first.
  /// - Returns: what stands there for the run.
  mutating func observe(
    _ access: LockAccess, at address: UInt64, width: Int, word: UInt64, pc: UInt64,
    open: Range<UInt64>, calls: UnsafeBufferPointer<Processor.Call>
  ) -> UInt64 {
    guard let range = range(touchedBy: address, width) else { return word }
    let offset = Int(truncatingIfNeeded: address &- range.start)
    let (operation, presented) = locks[range.lock].meaning(
      of: access, offset: offset, width: width, word: word, isRepeated: lastLoads[range.lock] == pc)
    lastLoads[range.lock] = access == .load ? pc : 0
    note(operation, lock: range.lock, pc: pc, isReturnAddress: false, open: open, calls: calls)
    return presented ?? word
  }

  /// - Parameters:
  ///   - open: `Processor.openFrames`.
  ///   - calls: those that have not returned, the frame's own first.
  mutating func note(
    _ operation: LockOperation, lock: Int, pc: UInt64, isReturnAddress: Bool, open: Range<UInt64>,
    calls: UnsafeBufferPointer<Processor.Call>
  ) {
    guard operation != .neutral, counts[lock] < Self.eventLimit else { return }
    counts[lock] += 1
    var callers = calls.reversed().map(\.returnAddress)
    // The call of the function that was not run is one of them.
    if isReturnAddress, callers.first == pc { callers.removeFirst() }
    events.append(
      Event(
        lock: lock, operation: operation, pc: pc, isReturnAddress: isReturnAddress,
        footing: disturbance.footing(open: open),
        callers: callers))
  }

  /// The lock at exactly this address: for functions that are given a lock.
  func lock(at address: UInt64) -> Int? {
    locks.firstIndex { $0.address.rawValue == address }
  }

  private func range(touchedBy address: UInt64, _ width: Int) -> (start: UInt64, count: UInt64, lock: Int)? {
    var low = 0
    var high = ranges.count
    let end = address &+ UInt64(width)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].start < end { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let candidate = ranges[low - 1]
    return address < candidate.start &+ candidate.count && candidate.start < end ? candidate : nil
  }
}
