import LockjawDiagnosis
import LockjawGraph
import LockjawModel

/// Holds a hang of unknown cause back while a better word for it may come, so that one hang is told once.
///
/// P1. While somebody's wait for a lock, or on a futex, has not lasted for the stall yet: a thread that sleeps for good with a lock
///     is seen first as one that sleeps, and the moment those who wait for it have waited long enough as who keeps it from them.
///     At most one more stall.
/// P2. While a holder may be among threads whose frames could not be asked because they ran: at another moment they are in a
///     call. At most `searchSeconds`.
struct Suspense {
  private static let searchSeconds = 1.0
  /// Between two looks that P2 asks for.
  private static let searchInterval = 0.2

  private let stall: Double
  private var since: Instant?

  init(stall: Double) { self.stall = stall }

  /// Whether a finding is better told later. Asked once a look for each finding, after `begin`.
  func holdsBack(_ finding: RawFinding, in examination: Examination) -> Bool {
    guard finding.kind == .hangUnknown, let since else { return false }
    let seconds = examination.now.seconds(since: since)
    return (seconds < stall && Self.somebodyIsYoung(examination, stall: stall))
      || (seconds < min(stall, Self.searchSeconds) && Self.mayFindHolder(of: finding, examination))
  }

  /// A look has been taken.
  mutating func begin(_ examination: Examination) {
    let isUnknown = examination.diagnosis.findings.contains { $0.kind == .hangUnknown }
    since = isUnknown ? since ?? examination.now : nil
  }

  /// When P2 wants another look; P1's come when those waits have lasted.
  func nextLook(_ examination: Examination) -> Instant? {
    guard examination.diagnosis.findings.contains(where: { Self.mayFindHolder(of: $0, examination) }) else {
      return nil
    }
    return Instant(nanoseconds: examination.now.nanoseconds &+ UInt64(Self.searchInterval * 1e9))
  }

  private static func somebodyIsYoung(_ examination: Examination, stall: Double) -> Bool {
    examination.threads.contains { thread in
      guard let wait = thread.wait, wait.deadline == nil, wait.since.isKnown, wait.type.hasHolder || wait.type == .futex
      else { return false }
      return examination.now.seconds(since: wait.since) < stall
    }
  }

  private static func mayFindHolder(of finding: RawFinding, _ examination: Examination) -> Bool {
    finding.kind == .hangUnknown
      && finding.edges.contains { edge in
        guard let account = examination.owners[edge.object]?.account else { return false }
        return account.claims.isEmpty && !account.unsearched.isEmpty
      }
  }
}
