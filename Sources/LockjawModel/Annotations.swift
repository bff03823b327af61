/// What a thread works on, in its program's own words (`lockjaw.h`).
package struct Breadcrumb: Hashable, Sendable {
  package var text: String
  package var since: Instant
  package init(text: String, since: Instant) {
    self.text = text
    self.since = since
  }
}

/// A heartbeat that was due and did not come.
package struct MissedHeartbeat: Hashable, Sendable {
  package var name: String
  /// Who beat last; other threads may be meant to as well.
  package var thread: ThreadID
  /// How long after a beat the next one is due.
  package var withinSeconds: Double
  /// How long before the moment of the report the last one came.
  package var lastSecondsAgo: Double
  /// How many have come.
  package var count: UInt64
  package init(name: String, thread: ThreadID, withinSeconds: Double, lastSecondsAgo: Double, count: UInt64) {
    self.name = name
    self.thread = thread
    self.withinSeconds = withinSeconds
    self.lastSecondsAgo = lastSecondsAgo
    self.count = count
  }
}

/// A loop that says regularly that it is alive.
package struct Heartbeat: Hashable, Sendable {
  package var name: String
  /// How long after a beat the next one is due.
  package var withinMilliseconds: UInt32
  package var last: Instant
  /// Who beat last.
  package var thread: ThreadID
  package var count: UInt64
  package init(name: String, withinMilliseconds: UInt32, last: Instant, thread: ThreadID, count: UInt64) {
    self.name = name
    self.withinMilliseconds = withinMilliseconds
    self.last = last
    self.thread = thread
    self.count = count
  }

  /// When the next one is due.
  package var due: Instant {
    let (due, isBeyond) = last.nanoseconds.addingReportingOverflow(UInt64(withinMilliseconds) * 1_000_000)
    return Instant(nanoseconds: isBeyond ? .max : due)
  }

  /// What it is at `now`, where it is late.
  package func missed(at now: Instant) -> MissedHeartbeat? {
    guard lateness(at: now) != nil else { return nil }
    return MissedHeartbeat(
      name: name, thread: thread, withinSeconds: Double(withinMilliseconds) / 1000,
      lastSecondsAgo: now.seconds(since: last), count: count)
  }

  /// Seconds by which it is late; `nil` where it is not.
  package func lateness(at now: Instant) -> Double? {
    let late = now.seconds(since: last) - Double(withinMilliseconds) / 1000
    return late > 0 ? late : nil
  }
}
