import LockjawModel

/// The fixed words of a report, one place for each term, so that text, sentence and one-line form cannot disagree.
///
/// Nothing here says "deadlock" of a wait that can end: whoever is paged for one must find one.
enum Wording {
  /// How a verdict is announced; the hyphenated word of JSON, as people write it.
  static func title(_ kind: FindingKind) -> String {
    switch kind {
    case .deadlock: "DEADLOCK"
    case .selfDeadlock: "SELF-DEADLOCK"
    case .upgradeDeadlock: "UPGRADE DEADLOCK"
    case .recursiveReadDeadlock: "RECURSIVE-READ DEADLOCK"
    case .joinCycle: "JOIN CYCLE"
    case .orphanedLock: "ORPHANED LOCK"
    case .phantomLock: "PHANTOM LOCK"
    case .lostWakeup: "LOST WAKEUP"
    case .timedCycle: "TIMED CYCLE"
    case .livelock: "LIVELOCK"
    case .missedHeartbeat: "MISSED HEARTBEAT"
    case .longHold: "LONG HOLD"
    case .hangUnknown: "HANG, CAUSE UNKNOWN"
    case .hostStarved: "HOST STARVED"
    case .contention: "CONTENTION"
    case .idle: "IDLE"
    case .healthy: "HEALTHY"
    }
  }

  /// Red for what does not end by itself, yellow for what is slow, green for what is well.
  static func role(_ kind: FindingKind) -> Role {
    if kind.isHang { return .danger }
    return kind == .healthy || kind == .idle ? .good : .warning
  }

  /// Whether the verdict is a claim that can be more or less certain.
  static func isClaim(_ kind: FindingKind) -> Bool { kind != .idle && kind != .healthy }

  /// Why it is called proven, inferred or suspect, in a sentence; a finding's own evidence follows it.
  static func explanation(_ certainty: Certainty, of kind: FindingKind) -> String {
    switch certainty {
    case .inferred where kind == .timedCycle, .suspect where kind == .timedCycle:
      "\(certainty.rawValue): each of these waits ends by itself, at its deadline."
    case .suspect where kind == .hangUnknown: "suspect: nothing proves that these waits do not end."
    case .proven where kind == .missedHeartbeat:
      "proven: the program said when it would be heard of again, and was not."
    case .suspect where kind == .missedHeartbeat:
      "suspect: it is missed, but perhaps only for want of processor time."
    case .proven: "proven: the arena, the lock words and the kernel agree."
    case .inferred: "inferred: what there is agrees, but a witness is missing."
    case .suspect: "suspect: a witness dissents, or anyone could end this wait."
    }
  }

  /// Completes "the holder is known from …".
  static func source(_ evidence: HolderEvidence) -> String? {
    switch evidence {
    case .arena: "the arena"
    case .ownerField: "the lock's owner field"
    case .lockWord: "the lock's word"
    case .landingPad: "what the holder's frame would release when it unwinds"
    case .forwardRun: "what the holder's frame releases when it is run forward on a copy"
    case .kernel: "the kernel's books: file locks, descriptors, parents and children"
    case .stack, .none: nil
    }
  }

  /// `waits for L2`, `waits to write L1`; `lock` is how the lock is written.
  static func waits(_ edge: Edge, lock: String, index: ReportIndex) -> String {
    switch index.lockType(of: edge) {
    case .join:
      guard let target = edge.holders.first else { return "waits in a join for a thread to end" }
      return "waits for thread \(index.name(target)) to end"
    case .condition: return "waits for a signal on \(lock)"
    case .barrier: return "waits at barrier \(lock)"
    case .futex: return "sleeps on futex \(lock)"
    case .pipe, .socket: return "waits for the other end of \(lock)"
    case .child: return "waits for \(lock) to end"
    case .once: return "waits for the one-time initialisation \(lock)"
    case .staticGuard: return "waits for the initialisation of the C++ static \(lock)"
    default:
      switch edge.mode {
      case .read: return "waits to read \(lock)"
      case .write: return "waits to write \(lock)"
      case .exclusive, .signal: return "waits for \(lock)"
      }
    }
  }

  /// `holds L1 for reading`.
  static func holds(_ lock: String, mode: LockMode?) -> String {
    switch mode {
    case .read: "holds \(lock) for reading"
    case .write: "holds \(lock) for writing"
    case .exclusive, .signal, nil: "holds \(lock)"
    }
  }

  /// `1 lock`, `3 locks`.
  static func count(_ number: Int, _ noun: String) -> String { number == 1 ? "1 \(noun)" : "\(number) \(noun)s" }
  static func threads(_ number: Int) -> String { count(number, "thread") }
}
