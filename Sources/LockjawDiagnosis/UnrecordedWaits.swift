import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

/// Waits of a preloaded process' threads that the library did not see, and that memory tells all the same: those for locks inside the
/// C library that keep their owner (`GlibcInternalWord`), stdio's streams above all.
///
/// The slot of such a thread says that it does not wait, and it is not frozen. What makes it one picture is that the kernel counts
/// when a thread runs: between a note taken before all slots and words are read, and another after everything
/// else, it has not.
package struct UnrecordedWaits {
  private let process: LiveProcess
  private let notes: [ThreadID: Stillness]

  fileprivate init(_ process: LiveProcess, _ notes: [ThreadID: Stillness]) {
    (self.process, self.notes) = (process, notes)
  }

  /// Whether the thread's wait is one of these.
  package func contains(_ thread: ThreadID) -> Bool { notes[thread] != nil }

  /// Every such thread of the finding has slept on until now.
  func confirms(_ finding: RawFinding) -> Bool {
    Set(finding.members + finding.bystanders + finding.edges.map(\.waiter)).allSatisfy { thread in
      notes[thread].map { process.stillness(of: thread) == $0 } ?? true
    }
  }

  /// Threads asleep on such locks; a cheap look, for processes with the library and without.
  /// - Parameter limit: threads asked.
  package static func sleepers(of process: LiveProcess, limit: Int) -> Set<KernelSleeper> {
    guard !process.isInOtherPidNamespace else { return [] }
    let memory = ProcessMemory(process)
    return Set(
      process.threadIDs.prefix(limit).compactMap { thread in
        lock(sleptOnBy: thread, process.kernelState(of: thread), memory).flatMap { _ in
          process.stillness(of: thread).map { KernelSleeper(thread: thread, stillness: $0) }
        }
      })
  }

  fileprivate static func lock(
    sleptOnBy thread: ThreadID, _ state: KernelState, _ memory: any MemoryReader
  ) -> LockWord? {
    guard case .futexWait(let address) = state, let word = GlibcInternalWord(at: address, memory: memory),
      word.isTakenByThread
    else { return nil }
    return word.lockWord(at: address)
  }
}

extension Examination.Glance {
  private static let mostThreads = 4096
  /// No thread has this id: some owner, but nobody knows which.
  private static let somebody = ThreadID(0)

  /// The same moment with such waits. One file of `/proc` is read for each thread that does not wait.
  package func addingUnrecorded(_ target: LiveTarget, arena: ArenaReader) -> Examination.Glance {
    let process = target.process
    // The numbers in its memory are not those in `/proc` there.
    guard !process.isInOtherPidNamespace, !target.isStopped else { return self }
    let waiting = Set(threads.lazy.filter { $0.wait != nil }.map(\.tid))
    // All notes first: whoever owns a lock when its word is read after that has slept with it until it is confirmed, or is no such thread.
    let asleep = process.threadIDs.prefix(Self.mostThreads).compactMap { tid -> (ThreadID, Stillness)? in
      guard !waiting.contains(tid),
        UnrecordedWaits.lock(sleptOnBy: tid, target.kernelState(of: tid), target.memory) != nil
      else { return nil }
      return process.stillness(of: tid).map { (tid, $0) }
    }
    var notes: [ThreadID: Stillness] = [:]
    var glance = self
    for (tid, note) in asleep {
      guard let word = UnrecordedWaits.lock(sleptOnBy: tid, target.kernelState(of: tid), target.memory) else {
        continue
      }
      let place = glance.threads.firstIndex { $0.tid == tid }
      // What it holds is asked again: it may have run between the first pass and the note.
      var thread =
        place.flatMap { arena.thread(inSlot: glance.threads[$0].slot) } ?? ThreadState(tid: tid, name: "", slot: -1)
      guard thread.tid == tid, thread.wait == nil else { continue }
      let since = Self.asleepSince(tid, process) ?? .unknown
      let ownerSince = word.owner.flatMap { Self.asleepSince($0, process) }
      thread.slot = -1
      thread.wait = Wait(
        sequence: 1, type: .mutex, mode: .exclusive, object: word.address, site: CallSite(address: Address(0)),
        since: since, ownerAtBegin: ownerSince.map { $0 <= since } ?? false ? word.owner : Self.somebody,
        isFromKernel: true)
      if let place { glance.threads[place] = thread } else { glance.threads.append(thread) }
      glance.words[word.address] = word
      glance.grounds[tid] =
        "Thread \(tid) sleeps on \(word.address), a lock inside the C library that keeps its owner, as every stdio stream has one."
      notes[tid] = note
    }
    guard !notes.isEmpty else { return self }
    glance.unrecorded = UnrecordedWaits(process, notes)
    return glance
  }

  /// `nil` where it does not sleep, or nobody can say.
  private static func asleepSince(_ thread: ThreadID, _ process: LiveProcess) -> Instant? {
    guard process.stillness(of: thread) != nil, let slept = process.sleptNanoseconds(thread) else { return nil }
    let now = Instant.now.nanoseconds
    return Instant(nanoseconds: now - min(slept, now))
  }
}
