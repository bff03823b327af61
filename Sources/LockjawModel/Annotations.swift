/// What a thread works on, in its program's own words (`lockjaw.h`).
package struct Breadcrumb: Hashable, Sendable {
  package var text: String
  package var since: Instant
  package init(text: String, since: Instant) {
    self.text = text
    self.since = since
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

  /// Seconds by which it is late; `nil` where it is not.
  package func lateness(at now: Instant) -> Double? {
    let late = now.seconds(since: last) - Double(withinMilliseconds) / 1000
    return late > 0 ? late : nil
  }
}
