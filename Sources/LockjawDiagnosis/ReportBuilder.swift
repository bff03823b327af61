import LockjawArena
import LockjawGraph
import LockjawHistory
import LockjawInspect
import LockjawModel

/// Turns an examination into the report people read: names threads and locks, takes stacks, finds lines.
///
/// Sentences (`Finding.summary`) and the signature are the report room's business and left empty.
package struct ReportBuilder {
  /// Threads whose stacks are taken.
  package enum Stacks: Sendable {
    /// Those a finding names, without stopping anything where their waits' registers are known.
    case involved
    /// Every thread of the process.
    case all
  }

  let arena: ArenaReader?
  let target: any Target
  let examination: Examination
  let process: ProcessReport
  let source: String
  let stackReader: StackReader
  /// Of other processes whose threads or locks a finding names, by their place in `Surroundings`.
  private let otherReaders: [Int: StackReader]
  private let snapshot: Snapshot?
  let byThread: [ThreadID: ThreadState]
  /// Slots of threads that neither wait nor hold, where the report is to tell more of such.
  let idleSlots: [ThreadID: Int]
  /// Short names of locks, in the order in which the findings mention them.
  private let lockIDs: [Address: String]
  private let lockOrder: [(address: Address, type: LockType)]
  /// As the program calls them.
  let ownNames: [Address: String]
  private static let fewThreads = 64

  /// - Parameter snapshot: registers and stacks of threads that do not wait, where they were taken.
  package init(
    arena: ArenaReader?, target: any Target, examination: Examination, process: ProcessReport, source: String,
    snapshot: Snapshot? = nil
  ) {
    self.arena = arena
    self.target = examination.surroundings.map { SurroundedTarget(target, $0) } ?? target
    self.examination = examination
    self.process = process
    self.source = source
    self.snapshot = snapshot
    stackReader = StackReader(arena: arena, target: target, snapshot: snapshot)
    otherReaders = examination.surroundings?.readers(for: examination.diagnosis.findings) ?? [:]
    byThread = Dictionary(examination.threads.map { ($0.tid, $0) }, uniquingKeysWith: { first, _ in first })
    idleSlots = Self.idleSlots(arena, examination)

    var ids: [Address: String] = [:]
    var order: [(Address, LockType)] = []
    func mention(_ address: Address, _ type: LockType) {
      guard ids[address] == nil else { return }
      ids[address] = "L\(ids.count + 1)"
      order.append((address, type))
    }
    for finding in examination.diagnosis.findings {
      for edge in finding.edges { mention(edge.object, edge.type) }
    }
    let shown = Set(examination.diagnosis.findings.flatMap { $0.members + $0.bystanders })
    for thread in examination.threads where shown.contains(thread.tid) {
      for held in thread.held { mention(held.object, held.type) }
    }
    ownNames = ids.isEmpty ? [:] : arena?.lockNames() ?? [:]
    lockIDs = ids
    lockOrder = order
  }

  /// Where breadcrumbs and operations are of threads that have nothing to do with a lock now.
  private static func idleSlots(_ arena: ArenaReader?, _ examination: Examination) -> [ThreadID: Int] {
    let isAsked = examination.diagnosis.findings.contains { $0.heartbeat != nil } || arena?.level == .all
    guard let arena, isAsked else { return [:] }
    return Dictionary(
      arena.threads(includingIdle: true).map { ($0.tid, $0.slot) }, uniquingKeysWith: { first, _ in first })
  }

  /// - Parameters:
  ///   - historyLimit: contended waits of the past to show, and operations of each thread.
  ///   - profileLimit: classes of locks to show of what was counted.
  package func report(stacks: Stacks, historyLimit: Int = 0, profileLimit: Int = 0) -> Report {
    var threads = threadReports(stacks)
    addFlightRecords(to: &threads, limit: historyLimit)
    let profile = profile(profileLimit)
    let stackOf = Dictionary(threads.map { ($0.tid, $0.stack) }, uniquingKeysWith: { first, _ in first })
    let findings = examination.diagnosis.findings.map { finding($0, stackOf) }
    let history = history(historyLimit)
    let locks = lockOrder.map { lockReport($0.address, $0.type) }
    var losses = arena?.losses() ?? [:]
    if let vanished = arena?.vanishedPages, vanished > 0 { losses["vanished-pages"] = vanished }
    var timing: [String: Double] = [:]
    if source == "live" { timing["pause"] = snapshot?.pauseMilliseconds ?? 0 }
    return Report(
      verdict: examination.diagnosis.verdict, signature: "", process: process, findings: findings, locks: locks,
      threads: threads, processes: examination.surroundings?.reports(of: threads, locks) ?? [], history: history,
      profile: profile, modules: stackReader.coverage,
      diagnostics: target.diagnostics + (arena?.quietness.map { [$0] } ?? []) + stackReader.diagnostics
        + runtimeLimits + (QueueWaits.sentence(threads).map { [$0] } ?? [])
        + otherReaders.sorted { $0.key < $1.key }.flatMap(\.value.diagnostics) + unlisted(threads)
        + unseen(threads)
        + (arena == nil ? TimedWaits.sentence(examination.threads).map { [$0] } ?? [] : []),
      losses: losses, timing: timing,
      source: source)
  }

  // MARK: - Findings

  private func finding(_ raw: RawFinding, _ stackOf: [ThreadID: [Frame]]) -> Finding {
    Finding(
      kind: raw.kind, certainty: raw.certainty, summary: "", edges: raw.edges.map { edge($0, stackOf) },
      bystanders: raw.bystanders, evidence: raw.evidence + culpritSentence(raw) + refusals(raw) + grounds(raw),
      heartbeat: raw.heartbeat?.missed(at: examination.now))
  }

  /// "Thread 4242 "loader", which holds it, is asleep in read (fd 3: pipe:[991])."
  private func culpritSentence(_ raw: RawFinding) -> [String] {
    guard let culprit = raw.culprit, raw.kind == .longHold || raw.kind == .hostStarved else { return [] }
    let name = name(of: culprit)
    let activity = target.activity(of: culprit) ?? raw.culpritState.map(Self.words)
    let does = activity.map { Predicate.words($0) }
    return (does.map { ["Thread \(culprit)\(name.isEmpty ? "" : " \"\(name)\""), which holds it, \($0)."] } ?? [])
      + target.elaboration(of: culprit)
  }

  /// What the reading of inlined locks rests on.
  private func grounds(_ raw: RawFinding) -> [String] {
    let objects = Set(raw.edges.map(\.object)).sorted()
    let sentences =
      raw.edges.prefix(8).compactMap { examination.grounds[$0.waiter] }
      + objects.prefix(8).flatMap { object in
        examination.owners[object].map { [$0.check] + $0.notes } ?? []
      }
    // A finding about the lock itself has said what was missing.
    return sentences.filter { !raw.evidence.contains($0) }
  }

  private func refusals(_ raw: RawFinding) -> [String] {
    raw.members.filter(examination.refused.contains).map { tid in
      "kernel: it refused to let thread \(tid) \"\(name(of: tid))\" wait (EDEADLK), since that wait would have closed "
        + "this cycle; the program was told, and ended instead of hanging."
    }
  }

  private func edge(_ raw: CandidateEdge, _ stackOf: [ThreadID: [Frame]]) -> Edge {
    let stack = stackOf[raw.waiter] ?? []
    let since = raw.hold.flatMap { hold in raw.holders.first.flatMap { reader(of: $0).frame(at: hold.site) } }
    return Edge(
      waiter: raw.waiter, lock: lockName(raw), mode: raw.mode, holders: raw.holders, evidence: evidence(raw),
      waitsAt: stack.shown ?? reader(of: raw.waiter).frame(at: raw.site), heldSinceAt: since,
      heldIn: raw.holders.first.flatMap { holder in
        found(raw).map { reader(of: holder).frame(at: $0.heldIn, isReturnAddress: true) }
          ?? heldIn(since, stackOf[holder] ?? [])
      },
      releasedAt: found(raw).flatMap {
        stackReader.frame(at: $0.releasedAt, isReturnAddress: $0.releasedAtIsReturnAddress)
      },
      guardType: found(raw).flatMap { stackReader.droppedType(along: $0.releasePath) },
      guardVariable: guardVariable(raw), heldMode: raw.holderMode,
      waitingForSeconds: raw.since.isKnown ? examination.now.seconds(since: raw.since) : .nan)
  }

  /// Stacks and names of the process that the thread belongs to.
  private func reader(of tid: ThreadID) -> StackReader {
    examination.surroundings?.neighbour(of: tid).flatMap { otherReaders[$0.index] } ?? stackReader
  }

  /// By what name the program knows the first holder's hold.
  private func guardVariable(_ raw: CandidateEdge) -> GuardVariable? {
    // Of a cycle of a thousand threads nobody reads a thousand names.
    guard let holder = raw.holders.first,
      lockOrder.prefix(Self.fewThreads).contains(where: { $0.address == raw.object })
    else { return nil }
    return reader(of: holder).guardVariable(
      of: raw.object, held: byThread[holder], holder, heldIn: found(raw)?.heldIn)
  }

  /// The first holder's hold as the search found it.
  private func found(_ raw: CandidateEdge) -> FoundOwner? {
    guard let holder = raw.holders.first else { return nil }
    return examination.owners[raw.object]?.owners.first { $0.thread == holder }
  }

  /// Where no arena is, what is known comes from the lock's word: its owner field, a waiting writer, a joined thread.
  private func evidence(_ raw: CandidateEdge) -> HolderEvidence {
    guard arena == nil, raw.evidence == .arena else { return raw.evidence }
    let owner = examination.words[raw.object]?.owner
    return owner != nil && owner == raw.holders.first ? .ownerField : .lockWord
  }

  /// The holder's frame that runs the function which acquired the lock: where the holder is now, inside the hold.
  private func heldIn(_ acquiredAt: Frame?, _ stack: [Frame]) -> Frame? {
    guard let function = acquiredAt?.function else { return nil }
    return stack.first { $0.function == function }
  }

  private func lockName(_ edge: CandidateEdge) -> String {
    return lockIDs[edge.object] ?? "\(edge.object)"
  }

  // MARK: - Locks and threads

  private func lockReport(_ address: Address, _ type: LockType) -> LockReport {
    if let other = examination.surroundings?.lockReport(
      address, type, id: lockIDs[address] ?? "\(address)", word: examination.words[address], readers: otherReaders)
    {
      return other
    }
    let word = examination.words[address]
    return LockReport(
      id: lockIDs[address] ?? "\(address)", address: address, type: type,
      library: word?.library.rawValue ?? library(type), name: ownNames[address] ?? stackReader.name(of: address),
      state: (word?.description ?? stateWithoutWord(address, type))
        + (examination.surroundings?.sharing(of: address) ?? ""))
  }

  private func stateWithoutWord(_ address: Address, _ type: LockType) -> String {
    guard type == .join else { return "not read: \(wordMissing(type))" }
    let joined = examination.graph.edges.first { $0.type == .join && $0.object == address }?.holders.first
    return joined.map { "is free when thread \($0) has ended" } ?? "is free when its thread has ended"
  }

  private func library(_ type: LockType) -> String {
    switch type {
    case .futex, .piFutex: "inlined (futex word)"
    case .custom: "the program's own"
    default: "glibc"
    }
  }

  private func wordMissing(_ type: LockType) -> String {
    switch type {
    case .futex: "the word's meaning depends on the library that made it"
    case .custom: "only the program knows what is in it"
    default: target.condition == "gone" ? "the process is gone" : "its memory could not be read"
    }
  }

  private func threadReports(_ stacks: Stacks) -> [ThreadReport] {
    var order: [ThreadID] = []
    var seen: Set<ThreadID> = []
    func add(_ threads: some Sequence<ThreadID>) {
      for thread in threads where seen.insert(thread).inserted { order.append(thread) }
    }
    let findings = examination.diagnosis.findings
    for finding in findings {
      add(finding.members)
      add(finding.edges.lazy.flatMap(\.holders))
      if let culprit = finding.culprit { add(CollectionOfOne(culprit)) }
    }
    // A thousand bystanders are a count, not a thousand stacks.
    var limit = max(order.count, Self.fewThreads)
    for finding in findings { add(finding.bystanders) }
    if case .all = stacks {
      add(examination.threads.lazy.map(\.tid))
      add(snapshot?.threads.map(\.tid) ?? [])
      add(target.threadIDs?.sorted() ?? [])
      limit = order.count
    }
    return order.prefix(limit).map(threadReport)
  }

  /// Threads of the report whose stacks a snapshot could not take, and why.
  private func unseen(_ threads: [ThreadReport]) -> [String] {
    let shown = Set(threads.map(\.tid))
    return (snapshot?.threads ?? []).compactMap { thread in
      guard shown.contains(thread.tid), let missing = thread.missing else { return nil }
      return "The stack of thread \(thread.tid) is not known. \(missing)"
    }
  }

  private var runtimeLimits: [String] {
    RuntimeLimits.sentences(target.modules, files: target.symbols().files, hasArena: arena != nil)
  }

  private func unlisted(_ threads: [ThreadReport]) -> [String] {
    let named = Set(examination.diagnosis.findings.flatMap(\.bystanders)).subtracting(threads.map(\.tid))
    guard !named.isEmpty else { return [] }
    return [
      "\(named.count) threads that are stuck behind the finding are counted, not listed; 'lockjaw attach --all-stacks' "
        + "lists them."
    ]
  }

  private func threadReport(_ tid: ThreadID) -> ThreadReport {
    guard let thread = byThread[tid] else {
      return ThreadReport(
        tid: tid, name: name(of: tid), state: activity(tid), stack: reader(of: tid).stack(of: tid),
        breadcrumb: idleSlots[tid].flatMap { arena?.breadcrumb(inSlot: $0)?.text })
    }
    if case .exitedHolding = thread.phase {
      return ThreadReport(
        tid: tid, name: name(of: tid), state: "ended without releasing what it held", stack: [],
        holds: holds(thread))
    }
    return ThreadReport(
      tid: tid, name: name(of: tid), state: state(of: thread),
      stack: reader(of: tid).stack(of: thread), holds: holds(thread),
      waitsFor: thread.wait.flatMap { lockIDs[$0.object] }, process: thread.process,
      breadcrumb: thread.process == nil ? arena?.breadcrumb(inSlot: thread.slot)?.text : nil)
  }

  /// Nobody says of a process that it holds its own life, or the end of a pipe.
  private func holds(_ thread: ThreadState) -> [String] {
    thread.held.filter { !$0.type.isKernelObject || $0.type == .fileLock }.compactMap { lockIDs[$0.object] }
  }

  /// The kernel's own words say more of a wait that it keeps: which call, on which descriptor.
  private func state(of thread: ThreadState) -> String {
    guard let wait = thread.wait, !wait.isFromKernel else { return activity(thread.tid) }
    return waiting(wait)
  }

  private func waiting(_ wait: Wait) -> String {
    let what =
      switch wait.type {
      case .join: wait.companion.rawValue == 0 ? "for a thread to end" : "for thread \(wait.companion.rawValue) to end"
      case .condition: "on condition \(wait.object)"
      case .futex where wait.isRenewed:
        "for an atomic's value (libc++, futex \(lockIDs[wait.object] ?? "\(wait.object)"))"
      default: "for \(wait.type.rawValue) \(lockIDs[wait.object] ?? "\(wait.object)")"
      }
    return "waiting \(what)" + (wait.mode == .read || wait.mode == .write ? " to \(wait.mode.rawValue)" : "")
      + (wait.deadline == nil ? "" : ", with a time limit")
  }

  /// As the kernel has it now: a name given by prctl passes the shim by.
  private func name(of tid: ThreadID) -> String { target.threadName(tid) ?? byThread[tid]?.name ?? "" }

  private func activity(_ tid: ThreadID) -> String {
    return target.activity(of: tid) ?? Self.words(examination.kernel[tid] ?? .unknown(reason: "not asked"))
  }

  private static func words(_ state: KernelState) -> String {
    switch state {
    case .futexWait(let word): "is asleep in a futex wait on \(word)"
    case .systemCall(let number, let name): "is asleep in \(name ?? "system call \(number)")"
    case .running: "runs"
    case .gone: "has ended"
    case .unknown(let reason): "does something unknown (\(reason))"
    }
  }
}
