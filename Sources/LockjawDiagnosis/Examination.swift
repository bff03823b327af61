import Glibc
import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

/// One look at a process through all three witnesses: its arena (twice), its lock words, the kernel.
package struct Examination {
  package let threads: [ThreadState]
  package let words: [Address: LockWord]
  package let kernel: [ThreadID: KernelState]
  package let graph: WaitForGraph
  package let diagnosis: Diagnosis
  /// Threads that did not wait but were refused to; see `Glance`.
  package let refused: Set<ThreadID>
  /// The moment of the first pass.
  package let now: Instant

  /// What the first pass alone says: cheap, and enough to know that there is nothing to examine.
  package struct Glance {
    package let threads: [ThreadState]
    package let now: Instant
    /// Waits by slot and sequence: equal sets mean that nothing has changed.
    package let waits: Set<WaitKey>
    /// Threads of a dead process that were refused the wait they are shown with; see `remains`.
    package let refused: Set<ThreadID>
    package init(threads: [ThreadState], now: Instant, waits: Set<WaitKey>, refused: Set<ThreadID> = []) {
      self.threads = threads
      self.now = now
      self.waits = waits
      self.refused = refused
    }
  }

  package struct WaitKey: Hashable, Sendable {
    package let slot: Int
    package let sequence: UInt64
    package init(slot: Int, sequence: UInt64) {
      self.slot = slot
      self.sequence = sequence
    }
  }

  package static func glance(_ arena: ArenaReader, now: Instant = .now) -> Glance {
    let threads = arena.threads()
    var waits = Set<WaitKey>(minimumCapacity: threads.count)
    for thread in threads {
      if let wait = thread.wait { waits.insert(WaitKey(slot: thread.slot, sequence: wait.sequence)) }
    }
    return Glance(threads: threads, now: now, waits: waits)
  }

  /// Asks words and kernel about what `glance` saw, and the arena a second time.
  ///
  /// The second pass comes last: a wait that is the same in both passes was going on while words and kernel were
  /// asked.
  /// - Parameter stall: seconds after which a wait is a finding.
  package init(_ glance: Glance, arena: ArenaReader, target: any Target, stall: Double) {
    let first = glance.threads
    let memory = target.memory
    var words: [Address: LockWord] = [:]
    for lock in WaitForGraph.locksToDecode(first) where words[lock.object] == nil {
      words[lock.object] =
        GlibcWord.decode(lock.type, at: lock.object) { memory.bytes(at: $0, count: $1) }
        ?? Self.rememberedWord(lock.object, first)
    }

    var kernel: [ThreadID: KernelState] = [:]
    for thread in Self.wokenConditionWaiters(first, words) { kernel[thread] = target.kernelState(of: thread) }
    let alive = target.threadIDs
    let preliminary = WaitForGraph(threads: first, words: words, kernel: kernel, aliveThreads: alive)
    for candidate in preliminary.candidates() {
      for member in candidate.members where kernel[member] == nil { kernel[member] = target.kernelState(of: member) }
    }
    for thread in Self.toAsk(preliminary, alive: alive, now: glance.now, stall: stall) where kernel[thread] == nil {
      kernel[thread] = target.kernelState(of: thread)
    }

    let second = target.condition == "gone" ? first : first.compactMap { arena.thread(inSlot: $0.slot) }
    let graph = WaitForGraph(threads: first, words: words, kernel: kernel, aliveThreads: alive)
    let witnesses = Witnesses(first: first, second: second, words: words, kernel: kernel)
    threads = first
    refused = glance.refused
    self.words = words
    self.kernel = kernel
    self.graph = graph
    now = glance.now
    diagnosis = Diagnosis.of(graph, witnesses: witnesses, now: glance.now, stall: stall)
  }

  /// A condition waiter whose mutex is taken by a thread that itself waits may have been woken and be waiting for
  /// that mutex: only the kernel can tell.
  private static func wokenConditionWaiters(_ threads: [ThreadState], _ words: [Address: LockWord]) -> [ThreadID] {
    let taken = Set(
      threads.lazy.filter { $0.wait != nil }.flatMap { $0.held.lazy.filter { $0.type == .mutex }.map(\.object) })
    guard !taken.isEmpty else { return [] }
    return threads.compactMap { thread in
      guard let wait = thread.wait, wait.type == .condition, taken.contains(wait.companion) else { return nil }
      return thread.tid
    }
  }

  /// Who else the kernel must be asked about, once waits have lasted for `stall`: holders that are not known to wait
  /// (what do they do?), waiters without a known holder, and, where something waits that anyone could end, every
  /// thread: is somebody left to end it?
  private static func toAsk(
    _ graph: WaitForGraph, alive: Set<ThreadID>?, now: Instant, stall: Double
  ) -> Set<ThreadID> {
    let waiting = Set(graph.threads.lazy.filter { $0.wait != nil }.map(\.tid))
    var result: Set<ThreadID> = []
    for edge in graph.edges where now.seconds(since: edge.since) >= stall {
      result.formUnion(edge.holders.lazy.filter { !waiting.contains($0) })
      if edge.holders.isEmpty { result.insert(edge.waiter) }
    }
    let anyoneCouldEnd = graph.threads.contains { thread in
      guard let wait = thread.wait, wait.type == .futex || wait.type == .semaphore else { return false }
      return wait.deadline == nil && now.seconds(since: wait.since) >= stall
    }
    if anyoneCouldEnd, let alive { result.formUnion(alive) }
    return result
  }
}

extension Instant {
  /// The present on CLOCK_MONOTONIC, which every process of one boot shares.
  package static var now: Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }
}
