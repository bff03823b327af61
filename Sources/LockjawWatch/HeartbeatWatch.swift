import LockjawModel

/// When heartbeats are due, as somebody sees them who looks now and then; pure.
///
/// A program that was stopped, or a host that gave nobody any time, has missed nothing that is its own fault. So a late
/// beat counts from the last moment at which the process was seen stopped, or the watcher itself came late: the loop gets its
/// whole time once more. The second kind of doubt is had twice at most before a beat comes: on a host that is always short of
/// time a missed heartbeat would else never be told.
struct HeartbeatWatch {
  /// One beat of one loop.
  struct Beat: Hashable, Sendable {
    let name: String
    let last: Instant
    init(_ heartbeat: Heartbeat) {
      name = heartbeat.name
      last = heartbeat.last
    }
  }

  /// Those that did not come, as of the last look.
  private(set) var missed: [Heartbeat] = []
  /// When to look again; `nil`: no beats are expected.
  private(set) var nextLook: Instant?
  private var countsFrom = Instant(nanoseconds: 0)
  private var answered: Set<Beat> = []
  private var doubtsLeft = mostDoubts
  private static let mostDoubts = 2

  /// The watcher's own lateness that makes it doubt its clock.
  private static let slackNanoseconds: UInt64 = 100_000_000
  /// How often a heartbeat that was missed is asked for, to see the next one come.
  private static let missedRestNanoseconds: UInt64 = 1_000_000_000

  /// - Parameters:
  ///   - beats: read after `now`, so that none is late that has come.
  ///   - isStopped: asked only where one is late.
  /// - Returns: whether one is missing that was not at the look before.
  mutating func look(_ beats: [Heartbeat], now: Instant, isStopped: () -> Bool) -> Bool {
    if let nextLook, now.nanoseconds > nextLook.nanoseconds &+ Self.slackNanoseconds, doubtsLeft > 0 {
      countsFrom = now
      doubtsLeft -= 1
    }
    if beats.allSatisfy({ $0.last > countsFrom }) { doubtsLeft = Self.mostDoubts }
    nextLook = nil
    missed = []
    var late: [(beat: Heartbeat, within: UInt64)] = []
    for beat in beats {
      let within = UInt64(beat.withinMilliseconds) * 1_000_000
      let due = max(beat.last, countsFrom).nanoseconds &+ within
      if now.nanoseconds <= due { schedule(due &+ 1) } else { late.append((beat, within)) }
    }
    if !late.isEmpty {
      let isStopped = isStopped()
      if isStopped { countsFrom = now }
      for (beat, within) in late {
        if isStopped {
          // Often enough that little of the loop's time is gone when the stop is seen to be over.
          schedule(now.nanoseconds &+ max(within / 4, 10_000_000))
        } else {
          missed.append(beat)
          schedule(now.nanoseconds &+ max(within, Self.missedRestNanoseconds))
        }
      }
    }
    let missing = Set(missed.map { Beat($0) })
    let isNew = !missing.isSubset(of: answered)
    answered = missing
    return isNew
  }

  /// It is missed, and why is not clear yet: it is news again at the next look.
  mutating func doubt(_ beat: Beat) { answered.remove(beat) }

  private mutating func schedule(_ nanoseconds: UInt64) {
    let moment = Instant(nanoseconds: nanoseconds)
    nextLook = nextLook.map { min($0, moment) } ?? moment
  }
}
