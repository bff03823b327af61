import LockjawArena
import LockjawEmulator
import LockjawGraph
import LockjawInspect
import LockjawModel
import LockjawSymbols

/// A hold that was found by what a frame would release, with the two places worth showing.
package struct FoundOwner: Hashable, Sendable {
  package var thread: ThreadID
  package var mode: LockMode
  package var evidence: HolderEvidence
  /// Return address in the frame that holds the lock: where its thread is, inside the hold.
  package var heldIn: Address
  /// Where the holder's guard would end, in that frame's own code.
  package var releasedAt: Address
  package var releasedAtIsReturnAddress: Bool
  /// What lies between that place and the lock, innermost first: the instruction that releases it, and where the calls on
  /// the way return to.
  package var releasePath: [CodePlace] = []
}

/// An address in code, as symbols are asked for it.
package struct CodePlace: Hashable, Sendable {
  package var address: Address
  /// It lies behind the call that is meant.
  package var isReturnAddress: Bool
}

/// What the search found about one lock.
package struct LockOwners: Hashable, Sendable {
  package var owners: [FoundOwner]
  /// How it compares with the lock's own count, a sentence.
  package var check: String
  package var account: HolderAccount
  /// What was found and is not claimed, and who has the address of a lock with holders that nobody found; sentences.
  package var notes: [String] = []
}

extension Examination.Glance {
  /// The same moment with the holders of locks that no shim saw taken: each thread's frames are asked, on a copy, what
  /// they would release.
  ///
  /// First only threads that wait, whose registers their slots have, so that nothing is stopped; where the words count
  /// more holders than that finds, `snapshot` is asked for all threads.
  /// - Parameter snapshot: stops the target for a moment; `nil` where that must not be.
  package func findingHolders(
    _ target: any Target, arena: ArenaReader?, snapshot: () -> Snapshot?
  ) -> Examination.Glance {
    let locks = searchable
    guard !locks.isEmpty else { return self }
    let ladder = HolderLadder(target, arena: arena)
    var found = ladder.owners(of: locks, among: threads, snapshot: nil)
    var searchedAll = false
    if found.values.contains(where: {
      if case .short = $0.account.completeness(against: $0.word) { true } else { false }
    }),
      let snapshot = snapshot()
    {
      found = ladder.owners(of: locks, among: threads, snapshot: snapshot)
      searchedAll = true
    }
    return adding(found, searchedAll: searchedAll)
  }

  /// Locks that are waited for, whose word is known and names no owner.
  private var searchable: [LockWord] {
    let waited = Set(threads.compactMap { $0.wait?.object })
    return words.values.filter { word in
      waited.contains(word.address) && word.isTaken && word.owner == nil && word.impossibility == nil
        && LockSemantics.Kind(word) != nil
    }.sorted { $0.address < $1.address }
  }

  private func adding(_ found: [Address: HolderLadder.Found], searchedAll: Bool) -> Examination.Glance {
    var holds: [ThreadID: [Held]] = [:]
    for one in found.values {
      for owner in one.owners.owners {
        holds[owner.thread, default: []].append(
          Held(
            object: one.word.address, type: one.word.type, mode: owner.mode, site: CallSite(address: Address(0)),
            evidence: owner.evidence))
      }
    }
    var glance = self
    for index in threads.indices { glance.threads[index].held += holds[threads[index].tid] ?? [] }
    // A holder that has never used a lock of the C library has no slot.
    var known = Set(threads.map(\.tid))
    for (tid, held) in holds.sorted(by: { $0.key < $1.key }) where known.insert(tid).inserted {
      glance.threads.append(ThreadState(tid: tid, name: "", slot: -1, held: held))
    }
    glance.owners = found.mapValues(\.owners)
    return glance
  }
}

/// Climbs the rungs above the lock's word: landing pads, then forward runs, checked against the word's count.
struct HolderLadder {
  struct Found {
    var word: LockWord
    var owners: LockOwners
    var account: HolderAccount { owners.account }
  }

  private let target: any Target
  private let arena: ArenaReader?
  private let symbols: TargetSymbols

  init(_ target: any Target, arena: ArenaReader?) {
    self.target = target
    self.arena = arena
    symbols = target.symbols()
  }

  func owners(of locks: [LockWord], among states: [ThreadState], snapshot: Snapshot?) -> [Address: Found] {
    let memory = snapshot.map { LayeredMemory([$0.memory, target.memory]) } ?? LayeredMemory([target.memory])
    let states = Dictionary(states.map { ($0.tid, $0) }, uniquingKeysWith: { first, _ in first })
    let tids = Set(states.keys).union(snapshot?.threads.map(\.tid) ?? []).sorted()
    var searched: [SearchedThread] = []
    var unsearched: [ThreadID] = []
    let search = HolderSearch(modules: target.modules, files: symbols.files, memory: memory)
    for tid in tids {
      if let thread = searchedThread(tid, states[tid], snapshot, memory, search) {
        searched.append(thread)
        // Its outer frames are asked all the same.
        if snapshot?.thread(tid)?.kernelState == .running, search.isBetweenCalls(thread) { unsearched.append(tid) }
      } else {
        unsearched.append(tid)
      }
    }
    // Threads that nobody looked at may hold it as well.
    if snapshot == nil, let all = target.threadIDs { unsearched += all.subtracting(tids).sorted() }

    let questions = locks.compactMap { word in
      LockSemantics.Kind(word).map { kind in
        SearchedLock(
          LockSemantics(kind, at: word.address),
          expected: word.mode.map { ExpectedHolders(mode: $0, count: word.holderCount, owner: word.owner) })
      }
    }
    let frames = Dictionary(searched.map { ($0.tid, $0.frames) }, uniquingKeysWith: { first, _ in first })
    var result: [Address: Found] = [:]
    for (word, answer) in zip(locks, search.holders(of: questions, among: searched)) {
      let owners = answer.holds.compactMap { hold -> FoundOwner? in
        guard let stack = frames[hold.tid], hold.frame < stack.count else { return nil }
        return FoundOwner(
          thread: hold.tid, mode: hold.mode, evidence: HolderEvidence(rawValue: hold.rung.rawValue) ?? .none,
          heldIn: stack[hold.frame].pc, releasedAt: hold.scopeEndsAt,
          releasedAtIsReturnAddress: hold.scopeEndIsReturnAddress,
          releasePath: [CodePlace(address: hold.releasedAt, isReturnAddress: hold.releasedAtIsReturnAddress)]
            + hold.releaseCallers.map { CodePlace(address: $0, isReturnAddress: true) })
      }
      let account = HolderAccount(
        claims: owners.map { HolderClaim(thread: $0.thread, mode: $0.mode, evidence: $0.evidence) },
        unsearched: unsearched)
      result[word.address] = Found(
        word: word,
        owners: LockOwners(
          owners: owners, check: sentence(answer, word, account), account: account,
          notes: Self.contradictions(answer, word) + possible(answer, word, searched, search)
            + references(answer, word, searched, memory)))
    }
    return result
  }

  private func searchedThread(
    _ tid: ThreadID, _ state: ThreadState?, _ snapshot: Snapshot?, _ memory: LayeredMemory,
    _ search: HolderSearch
  ) -> SearchedThread? {
    var registers: Registers?
    var layers: any MemoryReader = memory
    if let state, let wait = state.wait, wait.context.ip != 0 {
      registers = Registers(wait.context)
      let top = MemoryImage(base: Address(wait.context.sp), bytes: arena?.stackTop(inSlot: state.slot) ?? [])
      layers = LayeredMemory([memory, top])
    } else {
      registers = snapshot?.thread(tid)?.registers
    }
    guard let registers else { return nil }
    let fsBase = state.map(\.pthread.rawValue) ?? snapshot?.thread(tid)?.threadPointer ?? 0
    let awaits = state?.wait.flatMap { wait in
      wait.type.hasHolder && wait.type != .join
        ? SearchedThread.Awaited(lock: wait.object, mode: wait.mode, isReacquisition: false) : nil
    }
    return SearchedThread(
      tid: tid,
      frames: search.frames(from: registers, fsBase: fsBase, unwinder: symbols.unwinder, memory: layers),
      fsBase: fsBase, awaits: awaits,
      futex: state?.wait?.futex?.word)
  }

  /// What frames say and the word does not bear out: not claimed, and not hidden.
  static func contradictions(_ answer: FoundHolders, _ word: LockWord) -> [String] {
    // Of a lock with one holder an outer frame of the same thread says the same once more.
    let claimed = Set(answer.holds.map(\.tid))
    var seen: Set<ThreadID> = []
    let others = answer.dismissed.filter { !claimed.contains($0.tid) && seen.insert($0.tid).inserted }
    guard !others.isEmpty else { return [] }
    let threads = others.prefix(4).map { "thread \($0.tid) (\($0.rung.rawValue), \($0.mode.rawValue))" }
    let more = others.count > 4 ? ", and \(others.count - 4) more" : ""
    return [
      "holders: \(word.type.rawValue) \(word.address) would also be released by frames of "
        + threads.joined(separator: ", ") + more + "; its word (\(word.description)) contradicts that, so they are not "
        + "claimed."
    ]
  }

  /// Of a lock with holders that nobody found: frames that would release it as far as could be seen, and frames beside
  /// whose call it would be released.
  private func possible(
    _ answer: FoundHolders, _ word: LockWord, _ searched: [SearchedThread], _ search: HolderSearch
  ) -> [String] {
    guard case .short = answer.check, let kind = LockSemantics.Kind(word) else { return [] }
    var named = Set(answer.holds.map(\.tid))
    let frames = Dictionary(searched.map { ($0.tid, $0.frames) }, uniquingKeysWith: { first, _ in first })
    func sentence(_ holds: [PossibleHold], because reason: String) -> [String] {
      let holds = holds.filter { named.insert($0.tid).inserted }
      guard !holds.isEmpty else { return [] }
      let threads = holds.prefix(4).map { hold in
        let frame = frames[hold.tid].flatMap { hold.frame < $0.count ? $0[hold.frame] : nil }
        let named = frame.map { symbols.symbolizer.frames(at: $0.pc, isReturnAddress: $0.isReturnAddress) } ?? []
        let function = (named.first { !$0.isPlumbing && $0.function != nil } ?? named.last)?.function
        return "thread \(hold.tid)" + (function.map { " in \($0)" } ?? "")
      }
      let more = holds.count > 4 ? ", and \(holds.count - 4) more" : ""
      return [
        "holders: \(threads.joined(separator: ", "))\(more) may hold \(word.type.rawValue) \(word.address): \(reason). That is no "
          + "claim."
      ]
    }
    return sentence(
      answer.doubtful.map { PossibleHold(tid: $0.tid, frame: $0.frame) },
      because: "it would be released there, but by code that runs after a call which took too long to be followed")
      + sentence(
        search.possibleHolders(of: LockSemantics(kind, at: word.address), among: searched),
        because: "the calls before and behind the one it is in would release it")
  }

  /// Of a lock with holders that nobody found: who has its address.
  private func references(
    _ answer: FoundHolders, _ word: LockWord, _ searched: [SearchedThread], _ memory: LayeredMemory
  ) -> [String] {
    switch answer.check {
    case .confirmed: return []
    case .unchecked where !answer.holds.isEmpty: return []
    case .short, .contradicted, .unchecked: break
    }
    let claimed = Set(answer.holds.map(\.tid))
    let keepers = AddressKeepers(symbolizer: symbols.symbolizer, memory: memory)
      .keepers(of: word.address, among: searched).filter { !claimed.contains($0.thread) }
    return AddressKeepers.sentence(keepers, of: word).map { [$0] } ?? []
  }

  private func sentence(_ answer: FoundHolders, _ word: LockWord, _ account: HolderAccount) -> String {
    let name = "\(word.type.rawValue) \(word.address)"
    switch answer.check {
    case .confirmed:
      return "holders: what the frames would release names \(answer.holds.count) of \(answer.holds.count) holders that "
        + "\(name) counts: confirmed by count."
    case .short:
      return account.shortfall(against: word) ?? "holders: \(name) counts more holders than were found."
    case .contradicted(let found, let counted):
      return "holders: \(found) were found for \(name), which counts \(counted): none is claimed."
    case .unchecked:
      return "holders: \(name) does not count its holders, so what was found is not confirmed."
    }
  }
}

extension LockSemantics.Kind {
  /// `nil` for locks whose releases are not known by their instructions.
  init?(_ word: LockWord) {
    switch (word.library, word.type) {
    case (.rustStd, .mutex): self = .rustMutex
    case (.rustStd, .rwlock): self = .rustRwLock
    case (.parkingLot, .mutex): self = .parkingLotMutex
    case (.parkingLot, .rwlock): self = .parkingLotRwLock
    case (.glibc, .rwlock): self = .glibcRwlock
    case (.abseil, .rwlock): self = .abseilMutex
    default: return nil
    }
  }
}
