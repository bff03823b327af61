import LockjawInspect
import LockjawModel

/// A recursive lock inside glibc, as every stdio stream has one: `_IO_lock_t` (sysdeps/nptl/stdio-lock.h) and
/// `__libc_lock_recursive_t` (sysdeps/nptl/libc-lockP.h), the same in all releases since 2.3.
///
/// 16 bytes: at 0 a futex word (0 free, 1 taken, 2 taken and perhaps waited for), at 4 a depth, which begins with 1 or, in newer releases,
/// with 0, at 8 the owner's `struct pthread`, written after the word is taken and cleared before it is released.
///
/// The owner field is also what tells such a lock from anything else that glibc sleeps on in the same function (malloc's arenas, the list
/// of exit handlers), which have no owner: a `struct pthread` begins with a pointer to itself, and has another at 16
/// (`tcbhead_t`, sysdeps/x86_64/nptl/tls.h).
struct GlibcInternalWord {
  static let byteCount = 16

  let lock: UInt32
  /// 0: none, or not written yet.
  let descriptor: UInt64
  /// What the descriptor has as its thread id; 0 once that thread has ended. `nil`: what the field points at is no descriptor.
  let descriptorThreadID: UInt32?

  /// - Returns: `nil` where the bytes cannot be read.
  init?(at address: Address, memory: any MemoryReader) {
    guard let bytes = memory.bytes(at: address, count: Self.byteCount) else { return nil }
    let word = WordBytes(bytes)
    (lock, descriptor) = (word.int32(at: 0), word.int64(at: 8))
    descriptorThreadID = Self.threadID(inDescriptorAt: Address(descriptor), memory: memory)
  }

  /// Taken, by whoever has this descriptor: that this is such a lock rests on both.
  var isTakenByThread: Bool { (lock == 1 || lock == 2) && descriptorThreadID != nil }

  func lockWord(at address: Address) -> LockWord {
    let owner = lock == 0 ? nil : descriptorThreadID.flatMap(ThreadID.init(ownerField:))
    var text = "free"
    if lock != 0 {
      text =
        owner.map { "locked by thread \($0)" }
        ?? (descriptor == 0
          ? "locked; its owner has not been written yet" : "locked by a thread that has ended, or cannot be read")
      if lock == 2 { text += ", perhaps with waiters" }
    }
    return LockWord(
      address: address, type: .mutex, owner: owner, recordsOwner: true, isTaken: lock != 0, variant: "recursive",
      description: text, byteCount: Self.byteCount, library: .glibcInternal, hasWaiters: lock == 2)
  }

  /// Where `struct pthread` has its thread id: at 720 in all releases of ten years.
  private static let threadIDOffset: UInt64 = 720

  private static func threadID(inDescriptorAt address: Address, memory: any MemoryReader) -> UInt32? {
    let start = address.rawValue
    guard start != 0, start % 8 == 0, start < 1 << 47, memory.load(UInt64.self, at: address) == start,
      memory.load(UInt64.self, at: Address(start + 16)) == start
    else { return nil }
    return memory.load(UInt32.self, at: Address(start + threadIDOffset))
  }
}
