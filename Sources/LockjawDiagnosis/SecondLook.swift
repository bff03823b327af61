import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

/// Whether a finding still holds when its witnesses are asked again, in the order in which it must have happened.
///
/// A thread that unlocks and ends at once looks like an owner that ended with the lock, to whoever has read the lock's
/// word before the unlock and asks for the thread after its end. What is read *after* the kernel has said that the
/// thread is gone is final: a dead thread unlocks nothing and edits no slot.
///
/// Nor is a lock orphaned in a process that is being ended: its threads go one after the other, and each of them looks, to
/// those that are still there, like an owner that went with its lock. Before the first of them is gone, the kernel has
/// woken all others to die (signal(7); `zap_other_threads` in its source). So a waiter that is asleep after the owner is
/// gone is what tells the one from the other.
///
/// And threads that hand work to and fro all look asleep to whoever asks one after the other. That nobody is left to end
/// a wait is true only where all are asleep when they are asked once more, and every wait is the same after that: a
/// thread that was woken after its first answer shows as running, or has run and begun another wait.
struct SecondLook {
  let first: [ThreadState]
  let words: [Address: LockWord]
  let kernel: [ThreadID: KernelState]
  let arena: ArenaReader
  let target: any Target

  func confirms(_ finding: RawFinding) -> Bool {
    switch finding.kind {
    case .orphanedLock: finding.culprit.map { confirmsOrphan(finding, of: $0) } ?? true
    case .hangUnknown: everybodySleepsOn
    default: true
    }
  }

  private var everybodySleepsOn: Bool {
    for (thread, state) in kernel {
      guard case .futexWait = state else { continue }
      guard target.kernelState(of: thread) == state else { return false }
    }
    return first.allSatisfy { $0.wait == nil || waitStands($0) }
  }

  private func confirmsOrphan(_ finding: RawFinding, of owner: ThreadID) -> Bool {
    // Nobody can say it of a process that is ending, whose memory goes first: then no word contradicts what the arena has.
    guard target.isAlive(owner) == false else { return false }
    let objects = Set(finding.edges.map(\.object))
    let waiters = Set(finding.edges.map(\.waiter))
    return objects.allSatisfy { wordStands($0, owner) && entryStands($0, owner) }
      && first.contains { waiters.contains($0.tid) && waitStands($0) }
      && !Self.areBeingEnded(waiters.map(target.kernelState))
  }

  /// Whether nobody of these sleeps on.
  static func areBeingEnded(_ waiters: [KernelState]) -> Bool {
    waiters.allSatisfy { state in
      switch state {
      case .running, .gone: true
      case .futexWait, .systemCall, .unknown: false
      }
    }
  }

  private func wordStands(_ object: Address, _ owner: ThreadID) -> Bool {
    words[object].map { Self.stands($0, memory: target.memory) } ?? true
  }

  /// Whether a lock is still taken, by the same owner. It is decoded as what it was: of another library's word glibc's
  /// layout makes anything.
  static func stands(_ before: LockWord, memory: any MemoryReader) -> Bool {
    let now = LibraryWord.decode(before.library, before.type, at: before.address, memory: memory, isSleptOn: true)
    guard let now, now.isTaken else { return false }
    // Of several readers the word cannot tell who is left: that is for the arena's entry to say.
    if let readers = now.readerCount, readers > 0 { return true }
    return now.owner == before.owner
  }

  private func entryStands(_ object: Address, _ owner: ThreadID) -> Bool {
    let listing = first.filter { thread in
      thread.tid == owner && thread.held.contains { $0.object == object }
    }
    return listing.allSatisfy { before in
      guard let now = arena.thread(inSlot: before.slot), now.tid == owner else { return false }
      return now.held.contains { $0.object == object }
    }
  }

  private func waitStands(_ thread: ThreadState) -> Bool {
    guard let wait = thread.wait else { return false }
    return arena.thread(inSlot: thread.slot)?.wait?.sequence == wait.sequence
  }
}
