import LockjawModel

/// What to do next, per kind of finding, in terms of the very functions and lines of this report.
///
/// Two rules. A step says what to change, not only what is wrong: the drawing has said that. And a step names a place
/// only where the report knows it; without symbols the sentence must still be one.
struct Advice {
  let finding: Finding
  let index: ReportIndex

  /// Numbered in the report; the fix of the bug first, then how to get going again, then what would tell more.
  var steps: [String] {
    let fix: [String] =
      switch finding.kind {
      case .deadlock:
        finding.edges.count == 1
          ? selfDeadlock : isOverProcesses ? ProcessAdvice(finding: finding, index: index).steps : lockOrder
      case .selfDeadlock: selfDeadlock
      case .upgradeDeadlock: upgrade
      case .recursiveReadDeadlock: recursiveRead
      case .joinCycle: joinCycle
      case .timedCycle: timedCycle
      case .orphanedLock: orphanedLock
      case .phantomLock: phantomLock
      case .lostWakeup: lostWakeup
      case .livelock: livelock
      case .missedHeartbeat: missedHeartbeat
      case .longHold: longHold
      case .hostStarved: hostStarved
      case .contention: contention
      case .hangUnknown: HangUnknownAdvice(finding: finding, index: index).steps
      case .idle:
        [
          "If it should be working: the threads above show what each waits for. None of these is a lock whose holder is known"
            + (index.report.diagnostics.isEmpty ? "." : "; what of this process is not seen stands under Diagnostics.")
        ]
      case .healthy: []
      }
    return fix + restart
  }

  private var edges: [Edge] { finding.edges }
  private var first: Edge? { finding.edges.first }

  /// A cycle of threads stays until the process ends; nothing the operator does to a thread frees it.
  private var restart: [String] {
    guard finding.kind.isHang, finding.kind != .hangUnknown, finding.kind != .missedHeartbeat,
      finding.certainty != .suspect
    else { return [] }
    guard index.report.source == "live" else { return [] }
    let others = index.report.processes.map { " or \($0.pid)" }.joined()
    return [
      "Only a restart of process \(index.report.process.pid)\(others) ends it. Keep this report: it has what the fix needs."
    ]
  }

  // MARK: - Cycles

  /// Every lock-order cycle is cured by one order; what differs is whether the threads run the same code.
  private var lockOrder: [String] {
    guard EdgeShape(edges) == .cycle else {
      return ["Take these locks in the same order everywhere: \(locksInOrder)."]
    }
    // Per thread: the edge that waits for what it holds, and its own.
    let orders = edges.indices.map { position -> (held: Edge, wait: Edge) in
      (edges[(position + edges.count - 1) % edges.count], edges[position])
    }
    let places = Set(orders.map { [$0.held.heldSinceAt, $0.wait.waitsAt] })
    // Dining philosophers: no line of the program is wrong by itself, "swap these two" would only move the gap. All locks
    // are waited for in the same line of a library.
    if edges.count > 1, places.count == 1, let order = orders.first, order.wait.waitsAt?.isPlumbing == false {
      let lines = StackText.unique(
        [order.held.heldSinceAt, order.wait.waitsAt].compactMap { $0.map(ReportIndex.spot) })
      return [
        "\(edges.count == 2 ? "Both" : "All \(edges.count)") threads run the same code (\(list(lines))) on locks that form a circle: give them one order, "
          + "for example by address, and always take the lower one first" + scopedLockHint + "."
      ]
    }
    let clauses = orders.prefix(4).map { order in
      "\(index.shortName(order.wait.waiter)) takes \(order.held.lock)\(spot(order.held.heldSinceAt)), "
        + "then \(order.wait.lock)\(spot(order.wait.waitsAt))"
    }
    var steps = ["Take these locks in the same order everywhere. Now \(clauses.joined(separator: "; "))."]
    // The thread that takes the higher-numbered lock first is the one that goes against the others' order.
    if let turned = orders.first(where: { ReportIndex.number($0.held.lock) > ReportIndex.number($0.wait.lock) })
      ?? orders.last
    {
      let function =
        turned.wait.waitsAt.flatMap { $0.isPlumbing ? nil : ReportIndex.subject($0) }
        ?? "the code of \(index.shortName(turned.wait.waiter))"
      steps.append(
        "For example in \(function): take \(turned.wait.lock) before \(turned.held.lock), "
          + "or release \(turned.held.lock) before it wants \(turned.wait.lock)\(spot(turned.wait.waitsAt))\(scopedLockHint)."
      )
    }
    return steps
  }

  private var selfDeadlock: [String] {
    guard let edge = first else { return [] }
    // The usual case; naming the function twice hides what differs, the line.
    let isSameFunction = edge.waitsAt?.function == edge.heldSinceAt?.function
    let here =
      edge.waitsAt.map { isSameFunction ? ReportIndex.spot($0) : "\(ReportIndex.subject($0))\(spot($0))" }
      ?? "the place it waits at"
    let taken = edge.heldSinceAt.map { " taken in \(ReportIndex.subject($0))\(spot($0))" } ?? ""
    // rwlocks are taken through guards in every language that has them; a plain mutex may be C.
    let isGuard = edge.heldMode == .read || edge.mode == .write || edge.mode == .read
    if isGuard {
      let hold = edge.heldMode == .read ? "read guard" : edge.heldMode == .write ? "write guard" : "guard"
      return ["Let go of the \(hold)\(taken) before \(here) asks for \(edge.lock) again."] + guardHint
    }
    return [
      "Release \(edge.lock)\(taken) before \(here) asks for it again; or split \(edge.waitsAt.map(ReportIndex.subject) ?? "the function") "
        + "in two, one part that takes the lock and one that expects it taken.",
      "A recursive mutex would hide it: the outer function's data would still change under its feet.",
    ]
  }

  /// The shape that hung a whole fleet: a guard nobody sees, alive to the end of the statement.
  private var guardHint: [String] {
    guard language == .rust else { return [] }
    return [
      "In Rust a guard made in the condition of `if let`, `match` or `while let` lives to the end of the whole statement, "
        + "with `if let` before edition 2024 through its `else` too: bind the value with `let` first, so that the guard ends there."
    ]
  }

  /// Trying again is no cure: two readers that both wait to write keep each other out for good.
  private var upgrade: [String] {
    guard let edge = first else { return [] }
    var steps = [
      "A reader cannot become the writer of \(edge.lock): release the read lock before\(place(edge.waitsAt)) asks to write, "
        + "and check again what was read, as another writer may come in between.",
      "Or take \(edge.lock) for writing from the start\(ReportIndex.place(edge.heldSinceAt)).",
    ]
    if index.lock(edge.lock)?.library == "parking_lot" {
      steps[1] = "Or take it with `upgradable_read()` from the start\(ReportIndex.place(edge.heldSinceAt))."
    }
    return steps + guardHint
  }

  private var recursiveRead: [String] {
    guard let reader = edges.first(where: { $0.mode == .read }) else { return lockOrder }
    // The second step answers the question everyone asks: why did it never hang before?
    return [
      "Do not take \(reader.lock) for reading twice in one thread: hand the guard (or what it protects) down to"
        + "\(place(reader.waitsAt)), or release the first read before it.",
      "It hangs only when a writer arrives between the two reads, which is why it may have worked until now.",
    ]
  }

  private var joinCycle: [String] {
    let join = edges.first(where: index.isJoin)
    let lock = edges.first { !index.isJoin($0) }
    guard let join else { return [] }
    let target = join.holders.first.map(index.shortName) ?? "the thread"
    guard let lock else {
      return [
        "These threads join one another: let one of them be ended by a flag or a message, and join it from outside."
      ]
    }
    let held = lock.heldSinceAt.map { ", taken in \(ReportIndex.subject($0))\(spot($0))," } ?? ""
    return [
      "\(index.shortName(join.waiter)) must release \(index.lockInBrief(lock.lock))\(held) before it joins \(target)"
        + "\(spot(join.waitsAt)): \(target) needs it to end."
    ]
  }

  /// Says "cycle", never the word for one that lasts.
  private var timedCycle: [String] {
    [
      "Each wait here ends at its deadline, so nothing hangs for good; but the time is lost, again and again. "
        + "Take these locks in the same order everywhere: \(locksInOrder).",
      "If the deadline is there to get out of this very cycle, release everything held when it passes, and pause for a random time.",
    ]
  }

  // MARK: - Locks nobody releases

  private var orphanedLock: [String] {
    guard let edge = first else { return [] }
    let function = edge.heldSinceAt.map { "\(ReportIndex.subject($0))\(spot($0))" } ?? "the holder's code"
    return [
      "Every way out of \(function) must release \(edge.lock): error returns, exceptions, pthread_exit, cancellation. "
        + "A guard object does that (C++ std::lock_guard, C pthread_cleanup_push).",
      "Where a thread may die in between, make the mutex robust (PTHREAD_MUTEX_ROBUST): the next one gets EOWNERDEAD, not a hang.",
    ]
  }

  /// The word says taken and nobody is there: not a matter of order, but of a word that was damaged or abandoned.
  private var phantomLock: [String] {
    guard let lock = lockReport else { return [] }
    return [
      "No thread holds \(lock.id), so no order of locks is to blame. Look for an unlock that failed or ran twice, a guard that was "
        + "forgotten (mem::forget, longjmp, setjmp), memory overwritten beside it, or a bug in the version of its library.",
      "To catch who writes the word: run under gdb and set `watch *(int *)\(lock.address)` once it is initialised.",
    ]
  }

  private var lostWakeup: [String] {
    guard let lock = lockReport else { return [] }
    return [
      "\(lock.id) is free and its waiter still sleeps: a wake-up was lost. Look for a lock or condition that is signalled without "
        + "having changed the state under the mutex, memory reused while a thread waits on it, or a bug in the version of its library."
    ]
  }

  private var livelock: [String] {
    [
      "Threads wait, give up and try again, and never get through: look at what they do when the deadline passes, and let one of them win (a random pause, one order)."
    ]
  }

  // MARK: - Loops that are not heard of

  private var missedHeartbeat: [String] {
    guard let beat = finding.heartbeat else { return [] }
    let thread = index.shortName(beat.thread)
    var steps: [String] = []
    if let edge = first, let holder = edge.holders.first, holder != edge.waiter {
      steps.append("Look at what \(index.name(holder)) does, which has \(index.lockInBrief(edge.lock)).")
    } else {
      let stack = index.thread(beat.thread)?.stack ?? []
      let place = stack.first { !$0.isPlumbing }.map { ", in \(ReportIndex.subject($0))\(spot($0))" } ?? ""
      steps.append("Look at what \(thread) does\(place)\(stack.isEmpty ? "" : "; its stack is above").")
    }
    guard index.report.source == "live" else { return steps }
    steps.append(
      "Where several threads beat for one loop, as in a pool, \(thread) is only the one that did so last: "
        + "`lockjaw attach --all-stacks \(index.report.process.pid)` shows all of them.")
    return steps
  }

  // MARK: - Slow, not stuck

  /// The holder is not stuck on a lock; what it does is the answer, and its stack says that.
  private var longHold: [String] {
    guard let edge = first, let holder = edge.holders.first else { return [] }
    let frame = index.thread(holder)?.stack.first { !$0.isPlumbing }
    let state = index.thread(holder).map { $0.state.isEmpty ? "" : ": it \(Predicate.words($0.state))" } ?? ""
    let place = frame.map { ", in \(ReportIndex.subject($0))\(spot($0))" } ?? ""
    return [
      "Look at what \(index.shortName(holder)) does while it has \(edge.lock)\(state)\(place). Its stack is above.",
      "Move what is slow (I/O, sleeping, calls to others) out from under the lock"
        + (edge.heldSinceAt.map { ", taken in \(ReportIndex.subject($0))\(spot($0))" } ?? "")
        + ": copy what is needed, release, then do it.",
    ]
  }

  private var contention: [String] {
    guard let edge = first else { return [] }
    return [
      "Nothing is known to be stuck. If it is slow: shorten what happens under \(index.lockInBrief(edge.lock))"
        + (edge.heldSinceAt.map { " (taken in \(ReportIndex.subject($0))\(spot($0)))" } ?? "") + ", or split the lock."
    ]
  }

  private var hostStarved: [String] {
    [
      "Look at the host first: /proc/pressure/cpu, /proc/pressure/memory and /proc/pressure/io, the cgroup's limits (cpu.stat), and its neighbours."
    ]
  }

  // MARK: - Parts

  private var locksInOrder: String { list(finding.lockIDs.sorted(by: ReportIndex.isOrdered).map(index.lockInBrief)) }
  private var lockReport: LockReport? { first.flatMap { index.lock($0.lock) } }
  private func list(_ items: [String]) -> String { ReportIndex.list(items, limit: 6) }

  /// ` (bank.c:31)`, empty where there is none.
  private func spot(_ frame: Frame?) -> String { frame.map { " (\(ReportIndex.spot($0)))" } ?? "" }
  private func place(_ frame: Frame?) -> String { frame.map { " \(ReportIndex.subject($0))\(spot($0))" } ?? " it" }

  /// Told by the files' names: which idiom to recommend, nothing that has to be right.
  private enum Language { case cpp, rust, other }
  private var language: Language {
    let files = edges.flatMap { [$0.waitsAt?.file, $0.heldSinceAt?.file] }.compactMap { $0 }
    if files.contains(where: { $0.hasSuffix(".rs") }) { return .rust }
    let cpp = [".cpp", ".cc", ".cxx", ".hpp", ".hh", ".C"]
    return files.contains { file in cpp.contains { file.hasSuffix($0) } } ? .cpp : .other
  }
  private var scopedLockHint: String { language == .cpp ? " (std::scoped_lock takes several without that risk)" : "" }
}
