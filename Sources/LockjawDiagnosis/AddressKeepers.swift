import LockjawEmulator
import LockjawInspect
import LockjawModel
import LockjawSymbols

/// Threads whose frames keep a lock's address: the lowest rung of the ladder, for a lock with holders that nobody found.
///
/// Who has the address may hold the lock, may have held it, or may only know of it; a word in a frame can even be left over
/// from an earlier call. So it is told as what it is, and is never an edge.
struct AddressKeepers {
  struct Keeper: Hashable {
    var thread: ThreadID
    /// The innermost frame that keeps it, named; `nil` where nothing names it.
    var function: String?
  }

  let symbolizer: Symbolizer
  let memory: any MemoryReader

  /// Bytes of one stack that are looked through, and of one frame.
  private static let stackBytes: UInt64 = 256 << 10
  private static let frameBytes: UInt64 = 64 << 10

  /// Those that do not wait for the lock first; a waiter's own call has the address in any case, and is left out.
  func keepers(of lock: Address, among threads: [SearchedThread]) -> [Keeper] {
    let found = threads.compactMap { thread in keeper(thread, lock).map { (thread.awaits?.lock == lock, $0) } }
    return found.filter { !$0.0 }.map(\.1) + found.filter(\.0).map(\.1)
  }

  private func keeper(_ thread: SearchedThread, _ lock: Address) -> Keeper? {
    var left = Self.stackBytes
    var isInside = true
    var toSkip = thread.awaits?.lock == lock ? 1 : 0
    for index in thread.frames.indices {
      let frame = thread.frames[index]
      let named = symbolizer.frames(at: frame.pc, isReturnAddress: frame.isReturnAddress)
      // What a library's frames keep, they were given, or it is left over from their last call.
      if isInside, named.last?.isPlumbing ?? false { continue }
      isInside = false
      if toSkip > 0 {
        toSkip -= 1
        continue
      }
      if named.last?.isPlumbing ?? false { continue }
      let end = index + 1 < thread.frames.count ? thread.frames[index + 1].sp.rawValue : frame.sp.rawValue &+ 256
      if keeps(frame, until: end, lock, &left) {
        let name = named.first { !$0.isPlumbing && $0.function != nil } ?? named.last
        return Keeper(thread: thread.tid, function: name?.function)
      }
      guard left > 0 else { return nil }
    }
    return nil
  }

  private func keeps(_ frame: Unwinding.Frame, until end: UInt64, _ lock: Address, _ left: inout UInt64) -> Bool {
    let registers = frame.preserved
    if [registers.rbx, registers.rbp, registers.r12, registers.r13, registers.r14, registers.r15]
      .contains(lock.rawValue)
    {
      return true
    }
    let start = frame.sp.rawValue & ~7
    guard end > start else { return false }
    let count = min(end - start, Self.frameBytes, left)
    left -= count
    guard let bytes = memory.bytes(at: Address(start), count: Int(count)) else { return false }
    let words = WordBytes(bytes)
    return stride(from: 0, to: Int(count) - 7, by: 8).contains { words.int64(at: $0) == lock.rawValue }
  }
}

extension AddressKeepers {
  /// Threads named in one sentence.
  private static let named = 4

  /// What the keepers are, as a sentence; `nil` where there are none.
  static func sentence(_ keepers: [Keeper], of word: LockWord) -> String? {
    guard !keepers.isEmpty else { return nil }
    let threads = keepers.prefix(named).map { keeper in
      "thread \(keeper.thread)" + (keeper.function.map { " in \($0)" } ?? "")
    }
    let more = keepers.count > named ? ", and \(keepers.count - named) more" : ""
    return "stack: the address of \(word.type.rawValue) \(word.address) is kept by frames of "
      + threads.joined(separator: ", ") + more + "; who has the address need not hold the lock."
  }
}
