import LockjawInspect
import LockjawModel

/// Since when each thread of a process has slept, as seen from outside, and which sleeps are worth a whole look.
///
/// R1. A sleep in a futex wait is worth a look when it has lasted for a first look, and once more when it has lasted for the stall.
/// R2. One that a look has shown to be for what anyone can end (a condition, a semaphore, a futex) is not, and neither is
///     the next from the same place: idle workers come back to where they were. For a while only: the same place
///     may turn out to be another wait.
/// R3. Where every thread sleeps in a futex wait, R2 does not count once they have slept for the stall: then nobody is left.
/// R4. A look makes threads run for an instant. Who sleeps in the same call from the same place before and after it has
///     slept on.
struct SleepRecord {
  private struct Sleep {
    var sleeper: Sleeper
    var since: Instant
    /// How many of the limits it had passed when it was looked at.
    var lookedAt = 0
  }

  /// First look and stall, in seconds, rising.
  private let limits: [Double]
  /// Seconds for which R2 holds.
  private let memory: Double
  private var sleeps: [ThreadID: Sleep] = [:]
  private var signals: [Place: Instant] = [:]
  private var allInFutexWaits = false

  private struct Place: Hashable {
    let thread: ThreadID
    let place: String
  }

  init(firstLook: Double, stall: Double) {
    limits = [min(firstLook, stall), max(firstLook, stall)]
    memory = 10 * stall
  }

  /// Since when those who sleep have slept.
  var since: [ThreadID: Instant] { sleeps.mapValues(\.since) }

  /// What a cheap look has shown.
  mutating func note(_ sleepers: [ThreadID: Sleeper], allInFutexWaits: Bool, at now: Instant) {
    self.allInFutexWaits = allInFutexWaits
    sleeps = sleepers.reduce(into: [:]) { result, entry in
      let known = sleeps[entry.key].flatMap { $0.sleeper == entry.value ? $0 : nil }
      result[entry.key] = known ?? Sleep(sleeper: entry.value, since: now)
    }
    if signals.count > 4 * max(sleepers.count, 64) { signals = signals.filter { isRecent($0.value, now) } }
  }

  /// Threads whose sleep is worth a whole look now.
  func due(at now: Instant) -> Set<ThreadID> {
    Set(
      sleeps.lazy.filter { thread, sleep in
        guard sleep.sleeper.isInFutexWait else { return false }
        let passed = passed(sleep, now)
        guard passed > sleep.lookedAt else { return false }
        if allInFutexWaits, passed == limits.count { return true }
        let signal = signals[Place(thread: thread, place: sleep.sleeper.place)]
        return !(signal.map { isRecent($0, now) } ?? false)
      }.map(\.key))
  }

  /// A whole look has been taken, which made the threads run for an instant.
  /// - Parameters:
  ///   - moment: when it was.
  ///   - signals: threads that wait for what anyone can end.
  ///   - sleepers: a cheap look, taken after it.
  mutating func looked(at moment: Instant, signals waiting: Set<ThreadID>, after sleepers: [ThreadID: Sleeper]) {
    for (thread, sleep) in sleeps {
      guard let now = sleepers[thread], now.place == sleep.sleeper.place else { continue }
      sleeps[thread] = Sleep(sleeper: now, since: sleep.since, lookedAt: passed(sleep, moment))
      if waiting.contains(thread) { signals[Place(thread: thread, place: now.place)] = moment }
    }
  }

  private func passed(_ sleep: Sleep, _ now: Instant) -> Int {
    let seconds = now.seconds(since: sleep.since)
    return limits.filter { seconds >= $0 }.count
  }

  private func isRecent(_ moment: Instant, _ now: Instant) -> Bool { now.seconds(since: moment) < memory }
}
