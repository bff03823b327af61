import CLockjawABI
import LockjawModel

/// Reads one slot. The rules are the format header's: a waiting thread's slot is frozen, so an odd `wait.seq` that
/// is the same before and after the copy makes the copy true.
struct SlotReader {
  let header: ArenaHeader
  /// Extents published when the pass began.
  let extentCount: Int

  private static let wait = MemoryLayout<lj_slot>.offset(of: \lj_slot.wait)!
  private static let held = MemoryLayout<lj_slot>.offset(of: \lj_slot.held)!
  private static let foreign = MemoryLayout<lj_slot>.offset(of: \lj_slot.foreign)!
  private static let permits = MemoryLayout<lj_slot>.offset(of: \lj_slot.permits)!
  private static let usesSemaphores = MemoryLayout<lj_slot>.offset(of: \lj_slot.uses_semaphores)!
  private static let posts = MemoryLayout<lj_slot>.offset(of: \lj_slot.posts)!
  private static let heldCount = MemoryLayout<lj_slot>.offset(of: \lj_slot.held_count)!
  private static let heldExtent = MemoryLayout<lj_slot>.offset(of: \lj_slot.held_extent)!
  private static let heldLost = MemoryLayout<lj_slot>.offset(of: \lj_slot.held_lost)!
  private static let foreignPending = MemoryLayout<lj_slot>.offset(of: \lj_slot.foreign_pending)!
  private static let name = MemoryLayout<lj_slot>.offset(of: \lj_slot.name)!
  private static let stack = MemoryLayout<lj_slot>.offset(of: \lj_slot.stack)!
  private static let interrupted = MemoryLayout<lj_slot>.offset(of: \lj_slot.interrupted)!
  private static let generation = MemoryLayout<lj_slot>.offset(of: \lj_slot.generation)!
  private static let pthread = MemoryLayout<lj_slot>.offset(of: \lj_slot.pthread)!
  private static let exited = MemoryLayout<lj_slot>.offset(of: \lj_slot.exited_ns)!
  static let tid = MemoryLayout<lj_slot>.offset(of: \lj_slot.tid)!

  func offset(ofSlot index: Int) -> Int { header.slotsOffset + index * MemoryLayout<lj_slot>.size }

  /// The slot's thread; `nil` where the slot is free or has never been touched.
  ///
  /// - Parameter includingIdle: also threads that neither wait nor hold anything. One that may hold something which it
  ///   does not list is none of those.
  func thread(_ index: Int, in mapping: borrowing ArenaMapping, includingIdle: Bool) -> ThreadState? {
    let base = offset(ofSlot: index)
    let phase = Int(mapping.loadAcquire32(base))
    guard phase == LJ_PHASE_LIVE || phase == LJ_PHASE_EXITED_HOLDING else { return nil }

    // A thread that keeps moving is running, whatever a torn copy says: three looks are enough.
    for _ in 0..<3 {
      let before = mapping.loadAcquire64(base + Self.wait)
      let isWaiting = before & 1 == 1 && phase == LJ_PHASE_LIVE
      if !isWaiting && !includingIdle && mapping.loadAcquire32(base + Self.heldCount) == 0
        && mapping.loadAcquire32(base + Self.heldLost) == 0 && !usesSemaphores(base, in: mapping)
      {
        return nil
      }
      let state = copy(index, base: base, phase: phase, sequence: before, isWaiting: isWaiting, in: mapping)
      lj_fence_acquire()
      if mapping.loadAcquire64(base + Self.wait) == before { return state }
    }
    var state = copy(index, base: base, phase: phase, sequence: 0, isWaiting: false, in: mapping)
    state?.wait = nil
    return state
  }

  /// The slot's thread with the number of its wait: odd while it waits. `nil` where no living thread has the slot.
  func waitNumber(_ index: Int, in mapping: borrowing ArenaMapping) -> (tid: ThreadID, number: UInt64)? {
    let base = offset(ofSlot: index)
    guard Int(mapping.loadAcquire32(base)) == LJ_PHASE_LIVE else { return nil }
    let tid = ThreadID(Int32(truncatingIfNeeded: mapping.loadAcquire32(base + Self.tid)))
    return (tid, mapping.loadAcquire64(base + Self.wait))
  }

  /// Whether this slot tells of every post by every thread that has had it: it had one thread at most, and that
  /// one's table of posts has room left.
  func tellsEveryPost(_ index: Int, in mapping: borrowing ArenaMapping) -> Bool {
    let base = offset(ofSlot: index)
    return mapping.loadAcquire32(base + Self.generation) <= 1 && posts(base: base, in: mapping).count < LJ_POSTS
  }

  /// The stack top that was copied when the wait began.
  func stackTop(_ index: Int, in mapping: borrowing ArenaMapping) -> [UInt8] {
    let base = offset(ofSlot: index)
    guard let wait = mapping.load(lj_wait.self, at: base + Self.wait) else { return [] }
    return mapping.bytes(at: base + Self.stack, count: min(Int(wait.stack_bytes), LJ_STACK_BYTES))
  }

  /// A thread that has only posted counts too: its posts are the evidence that a semaphore is a signal and no lock.
  private func usesSemaphores(_ base: Int, in mapping: borrowing ArenaMapping) -> Bool {
    mapping.loadAcquire32(base + Self.usesSemaphores) != 0
  }

  /// Sixteen bytes, without the array that a general copy would make: every pass reads every name.
  private func name(_ base: Int, in mapping: borrowing ArenaMapping) -> String {
    guard let words = mapping.load((UInt64, UInt64).self, at: base + Self.name) else { return "" }
    return withUnsafeBytes(of: words) { bytes in
      String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
    }
  }

  private func copy(
    _ index: Int, base: Int, phase: Int, sequence: UInt64, isWaiting: Bool, in mapping: borrowing ArenaMapping
  ) -> ThreadState? {
    guard let wait = mapping.load(lj_wait.self, at: base + Self.wait) else { return nil }
    let (held, isComplete) = heldEntries(index, base: base, in: mapping)
    return ThreadState(
      tid: ThreadID(Int32(truncatingIfNeeded: mapping.loadAcquire32(base + Self.tid))),
      name: name(base, in: mapping),
      slot: index,
      generation: Int(mapping.loadAcquire32(base + Self.generation)),
      pthread: Address(mapping.loadAcquire64(base + Self.pthread)),
      phase: phase == LJ_PHASE_EXITED_HOLDING
        ? .exitedHolding(at: Instant(nanoseconds: mapping.loadAcquire64(base + Self.exited))) : .live,
      wait: isWaiting ? Wait(wait, sequence: sequence) : nil,
      held: held,
      heldIsIncomplete: !isComplete,
      isInterrupted: mapping.loadAcquire32(base + Self.interrupted) != 0,
      permits: permits(base: base, in: mapping),
      posts: posts(base: base, in: mapping))
  }

  /// Entries inside the slot, then along the chain of extents, less what other threads have released.
  private func heldEntries(
    _ index: Int, base: Int, in mapping: borrowing ArenaMapping
  ) -> (held: [Held], isComplete: Bool) {
    let total = Int(mapping.loadAcquire32(base + Self.heldCount))
    guard total > 0 else { return ([], mapping.loadAcquire32(base + Self.heldLost) == 0) }
    var isComplete = mapping.loadAcquire32(base + Self.heldLost) == 0
    let inline = min(total, LJ_HELD_INLINE)
    var held: [Held] = []
    held.reserveCapacity(inline)
    func take(_ from: Int, _ count: Int, _ mapping: borrowing ArenaMapping) {
      for entry in 0..<count {
        guard let raw = mapping.load(lj_held.self, at: from + entry * MemoryLayout<lj_held>.size) else { return }
        if let one = Held(raw) { held.append(one) }
      }
    }
    take(base + Self.held, inline, mapping)

    var left = total - inline
    var link = Int(mapping.loadAcquire32(base + Self.heldExtent))
    // An extent is one slot's, and once in its chain: so all slots together have no more to read than there are
    // extents, also where an arena's links lead in circles or from everywhere to one chain.
    var walked: Set<Int> = []
    while left > 0 {
      let extent = header.extentsOffset + (link - 1) * MemoryLayout<lj_extent>.size
      guard link > 0, link <= extentCount,
        mapping.loadAcquire32(extent + MemoryLayout<lj_extent>.offset(of: \lj_extent.owner_slot)!) == UInt32(index),
        walked.insert(link).inserted
      else {
        isComplete = false
        break
      }
      let here = min(left, LJ_HELD_PER_EXTENT)
      take(extent + MemoryLayout<lj_extent>.offset(of: \lj_extent.held)!, here, mapping)
      left -= here
      link = Int(mapping.loadAcquire32(extent))
    }

    if mapping.loadAcquire32(base + Self.foreignPending) != 0 {
      for place in 0..<LJ_FOREIGN {
        guard
          let raw = mapping.load(lj_foreign.self, at: base + Self.foreign + place * MemoryLayout<lj_foreign>.size),
          raw.object != 0
        else { continue }
        release(raw.object, times: Int(min(raw.count, 1 << 16)), from: &held)
      }
    }
    return (held, isComplete)
  }

  /// The newest holds first. One pass: a damaged arena names a lock by the hundred thousand.
  private func release(_ object: UInt64, times: Int, from held: inout [Held]) {
    var left = times
    for at in held.indices.reversed() where left > 0 && held[at].object.rawValue == object {
      let released = min(left, held[at].count)
      held[at].count -= released
      left -= released
    }
    held.removeAll { $0.count == 0 }
  }

  private func permits(base: Int, in mapping: borrowing ArenaMapping) -> [Permit] {
    guard usesSemaphores(base, in: mapping) else { return [] }
    var result: [Permit] = []
    for place in 0..<LJ_PERMITS {
      let at = base + Self.permits + place * MemoryLayout<lj_permit>.size
      guard let raw = mapping.load(lj_permit.self, at: at), raw.object != 0, raw.count > 0 else { continue }
      result.append(
        Permit(
          object: Address(raw.object), site: CallSite(address: Address(raw.site)), takenTicks: raw.taken_ticks,
          count: Int(raw.count)))
    }
    return result
  }

  /// Posts by the slot's thread, and, where the slot is free, by the one that had it last: they are cleared when the
  /// next thread claims it.
  func posts(base: Int, in mapping: borrowing ArenaMapping) -> [Post] {
    guard usesSemaphores(base, in: mapping) else { return [] }
    var result: [Post] = []
    for place in 0..<LJ_POSTS {
      let at = base + Self.posts + place * MemoryLayout<lj_post>.size
      guard let raw = mapping.load(lj_post.self, at: at), raw.object != 0 else { continue }
      result.append(Post(object: Address(raw.object), postedTicks: raw.posted_ticks))
    }
    return result
  }
}

extension Held {
  fileprivate init?(_ raw: lj_held) {
    guard raw.object != 0, let type = LockType(abi: raw.kind), let mode = LockMode(abi: raw.mode) else { return nil }
    let callers = [raw.callers.0, raw.callers.1, raw.callers.2, raw.callers.3].prefix(Int(raw.caller_count))
    self.init(
      object: Address(raw.object), type: type, mode: mode, count: max(1, Int(raw.count)),
      site: CallSite(address: Address(raw.site), callers: callers.map { Address($0) }),
      since: raw.since_ns == 0 ? nil : Instant(nanoseconds: raw.since_ns))
  }
}

extension Wait {
  fileprivate init?(_ raw: lj_wait, sequence: UInt64) {
    guard let type = LockType(abi: raw.kind), let mode = LockMode(abi: raw.mode) else { return nil }
    let context = raw.context
    self.init(
      sequence: sequence, type: type, mode: mode, object: Address(raw.object), companion: Address(raw.object2),
      site: CallSite(address: Address(raw.site)), since: Instant(nanoseconds: raw.since_ns),
      deadline: raw.deadline_ns == 0 ? nil : Instant(nanoseconds: raw.deadline_ns),
      ownerAtBegin: raw.owner_tid == 0 ? nil : ThreadID(Int32(truncatingIfNeeded: raw.owner_tid)),
      policyAtBegin: type == .rwlock ? (raw.futex_value == 2 ? .prefersWriters : .prefersReaders) : nil,
      futex: type == .futex || type == .piFutex
        ? FutexWait(
          word: Address(raw.object), operation: raw.futex_op, expected: raw.futex_value,
          hasTimeLimit: raw.deadline_ns != 0 && raw.deadline_ns != .max) : nil,
      context: WaitContext(
        ip: context.ip, sp: context.sp, bp: context.bp, bx: context.bx, r12: context.r12, r13: context.r13,
        r14: context.r14, r15: context.r15))
  }
}
