import LockjawModel

/// `pthread_mutex_t`, 40 bytes: lock at 0, recursion count at 4, owner at 8, kind at 16.
///
/// A robust or priority-inheriting mutex has a PI futex word in `lock`, shared with the kernel, and there the word's
/// thread id is the truth. In others `lock` is 0 (free), 1 (locked) or 2 (locked, perhaps with waiters), and the
/// owner field is written just after it is locked and cleared just before it is unlocked.
package struct GlibcMutexWord: Hashable, Sendable {
  package static let byteCount = 40

  package enum Base: UInt32, Hashable, Sendable { case normal, recursive, errorcheck, adaptive }

  package var lock: UInt32
  package var count: UInt32
  package var owner: UInt32
  package var kind: UInt32

  private static let baseMask: UInt32 = 3
  private static let robustBit: UInt32 = 16
  private static let inheritBit: UInt32 = 32
  private static let protectBit: UInt32 = 64
  private static let sharedBit: UInt32 = 128
  private static let elisionBits: UInt32 = 256 | 512
  /// What `pthread_mutex_destroy` leaves in `kind`.
  private static let destroyedKind: UInt32 = .max
  /// Owner fields of a robust mutex whose owner died and which is not yet, or never will be, made consistent.
  private static let inconsistentOwner = UInt32(Int32.max)
  private static let notRecoverableOwner = UInt32(Int32.max) - 1
  /// A priority-protected mutex keeps its ceiling in the upper bits of `lock`.
  private static let ceilingMask: UInt32 = 0xfff8_0000

  init(_ word: WordBytes) {
    lock = word.int32(at: 0)
    count = word.int32(at: 4)
    owner = word.int32(at: 8)
    kind = word.int32(at: 16)
  }

  package var base: Base { Base(rawValue: kind & Self.baseMask) ?? .normal }
  package var isRobust: Bool { kind & Self.robustBit != 0 }
  package var inheritsPriority: Bool { kind & Self.inheritBit != 0 }
  package var isDestroyed: Bool { kind == Self.destroyedKind }
  /// Whether `kind` has only bits that glibc gives a meaning; else this is no glibc mutex, or none any more.
  package var isPlausible: Bool {
    let known =
      Self.baseMask | Self.robustBit | Self.inheritBit | Self.protectBit | Self.sharedBit | Self.elisionBits
    return kind & ~known == 0
  }

  /// "normal", "recursive", "errorcheck" or "adaptive", and what else it is: "recursive, robust, PI".
  package var variant: String {
    if isDestroyed { return "destroyed" }
    guard isPlausible else { return "unknown kind 0x" + String(kind, radix: 16) }
    var parts = ["\(base)"]
    if isRobust { parts.append("robust") }
    if inheritsPriority { parts.append("PI") }
    if kind & Self.protectBit != 0 { parts.append("priority-protected") }
    // Every robust mutex has the bit: the kernel wakes its waiters as it wakes those of shared ones.
    if kind & Self.sharedBit != 0, !isRobust { parts.append("process-shared") }
    return parts.joined(separator: ", ")
  }

  func lockWord(at address: Address) -> LockWord {
    var word = LockWord(
      address: address, type: .mutex, recordsOwner: true, isTaken: false, variant: variant, description: "free",
      byteCount: Self.byteCount)
    if isDestroyed || !isPlausible {
      word.recordsOwner = false
      word.isTaken = lock != 0
      word.description = isDestroyed ? "destroyed" : "no mutex that glibc knows (\(variant))"
      return word
    }
    let hasWaiters: Bool
    if isRobust || inheritsPriority {
      let futex = PIFutexWord(lock)
      word.owner = futex.owner
      word.isTaken = futex.isTaken
      hasWaiters = futex.hasWaiters
    } else {
      let state = kind & Self.protectBit != 0 ? lock & ~Self.ceilingMask : lock
      word.isTaken = state != 0
      word.owner = word.isTaken ? ThreadID(ownerField: owner) : nil
      hasWaiters = state > 1
    }
    word.description = description(of: word, hasWaiters: hasWaiters)
    return word
  }

  private func description(of word: LockWord, hasWaiters: Bool) -> String {
    var text: String
    if isRobust, owner == Self.notRecoverableOwner {
      text = "not recoverable: its owner died and nobody made it consistent"
    } else if !word.isTaken {
      text = isRobust && PIFutexWord(lock).ownerDied ? "free, left by an owner that died" : "free"
    } else if let owner = word.owner {
      text = "locked by thread \(owner)"
      if base == .recursive, count > 1 { text += ", \(count) times" }
      if isRobust, self.owner == Self.inconsistentOwner { text += ", not yet consistent after its owner died" }
    } else {
      text = "locked, owner not written"
    }
    // A waiter sets the mark before it sleeps and only an unlock clears it, so it may be out of date.
    if hasWaiters { text += ", perhaps with waiters" }
    return text
  }
}

/// A futex word shared with the kernel: owner's thread id in the lower 30 bits, then "owner died" and "has waiters".
/// See futex(2), priority-inheritance futexes, and `get_robust_list(2)`.
package struct PIFutexWord: Hashable, Sendable {
  static let threadMask: UInt32 = 0x3fff_ffff
  private static let ownerDiedBit: UInt32 = 0x4000_0000
  private static let waitersBit: UInt32 = 0x8000_0000

  package var value: UInt32
  package init(_ value: UInt32) { self.value = value }

  package var isTaken: Bool { value & Self.threadMask != 0 }
  /// `nil` also for the id that `PTHREAD_MUTEX_NOTRECOVERABLE` and other markers leave: no thread has it.
  package var owner: ThreadID? { ThreadID(ownerField: value & Self.threadMask) }
  package var ownerDied: Bool { value & Self.ownerDiedBit != 0 }
  package var hasWaiters: Bool { value & Self.waitersBit != 0 }

  func lockWord(at address: Address) -> LockWord {
    var text = owner.map { "locked by thread \($0)" } ?? "free"
    if ownerDied { text += ", left by an owner that died" }
    if hasWaiters { text += ", with waiters" }
    return LockWord(
      address: address, type: .piFutex, owner: owner, recordsOwner: true, isTaken: isTaken, variant: "PI",
      description: text, byteCount: 4)
  }
}
