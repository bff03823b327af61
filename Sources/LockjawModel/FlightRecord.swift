/// One lock operation of a thread, as the flight recorder of level `all` has it.
package struct OperationEntry: Hashable, Sendable {
  package var kind: RecordedOperation.Kind
  package var lock: Address
  package var type: LockType
  package var mode: LockMode
  package var site: Frame?
  /// Before the moment of the report; NaN where there was no clock.
  package var secondsAgo: Double
  /// An acquire after a recorded wait.
  package var isContended: Bool
  /// Of a wait's end.
  package var outcome: PastWait.Outcome?
  package init(
    kind: RecordedOperation.Kind, lock: Address, type: LockType, mode: LockMode, site: Frame?, secondsAgo: Double,
    isContended: Bool = false, outcome: PastWait.Outcome? = nil
  ) {
    self.kind = kind
    self.lock = lock
    self.type = type
    self.mode = mode
    self.site = site
    self.secondsAgo = secondsAgo
    self.isContended = isContended
    self.outcome = outcome
  }
}

/// The newest operations of one thread.
package struct FlightRecord: Hashable, Sendable {
  /// Newest first.
  package var operations: [OperationEntry]
  /// Older ones that are still in the ring, and not here.
  package var olderInRing: Int
  /// Of the slot's threads: overwritten or, where rings stop when they are full, never written.
  package var lost: UInt64
  package init(operations: [OperationEntry], olderInRing: Int = 0, lost: UInt64 = 0) {
    self.operations = operations
    self.olderInRing = olderInRing
    self.lost = lost
  }
}
