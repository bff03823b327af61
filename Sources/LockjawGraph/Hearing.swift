import LockjawModel

/// What the witnesses have said so far.
struct Hearing {
  /// Sentences kept; a cycle of a thousand threads says the same thing a thousand times.
  static let evidenceLimit = 24

  private var certainty = Certainty.proven
  private var isRefuted = false
  private var evidence: [String] = []
  private var left = 0

  mutating func missing(_ sentence: @autoclosure () -> String) {
    if certainty == .proven { certainty = .inferred }
    keep(sentence())
  }

  mutating func dissent(_ sentence: @autoclosure () -> String) {
    // What dissents explains the verdict, so it goes before what is merely missing.
    if certainty != .suspect, evidence.count >= Self.evidenceLimit { evidence.removeLast() }
    certainty = .suspect
    keep(sentence())
  }

  mutating func refuted(_ sentence: @autoclosure () -> String) {
    isRefuted = true
    dissent(sentence())
  }

  private mutating func keep(_ sentence: @autoclosure () -> String) {
    if evidence.count < Self.evidenceLimit { evidence.append(sentence()) } else { left += 1 }
  }

  func judgement(members: Int) -> Judgement {
    guard evidence.isEmpty else {
      let rest = left > 0 ? ["\(left) more statements of these sorts are left out."] : []
      return Judgement(certainty: certainty, isRefuted: isRefuted, evidence: evidence + rest)
    }
    let waits = members == 1 ? "the wait is" : members == 2 ? "both waits are" : "all \(members) waits are"
    let threads = members == 1 ? "the thread is" : members == 2 ? "both threads are" : "every thread is"
    return Judgement(
      certainty: .proven,
      evidence: [
        "arena: \(waits) the same in two passes, without an interruption.",
        "lock words: they name the same holders as the arena.",
        "kernel: \(threads) asleep in a futex wait.",
      ])
  }
}
