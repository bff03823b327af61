import LockjawModel
import LockjawReport

/// Reports of cycles, one per kind, as the pipeline would make them.
enum SampleCycles {
  static let transfer28 = at("transfer", "bank.c", 28, offset: 0x1301)
  static let transfer31 = at("transfer", "bank.c", 31, offset: 0x1322)
  static let audit41 = at("audit", "bank.c", 41, offset: 0x1401)
  static let audit44 = at("audit", "bank.c", 44, offset: 0x1422)

  static var deadlockFinding: Finding {
    Finding(
      kind: .deadlock, certainty: .proven, summary: "",
      edges: [
        Edge(
          waiter: tid(4711), lock: "L2", mode: .exclusive, holders: [tid(4712)], evidence: .arena, waitsAt: transfer31,
          heldSinceAt: audit41, waitingForSeconds: 3.214),
        Edge(
          waiter: tid(4712), lock: "L1", mode: .exclusive, holders: [tid(4711)], evidence: .ownerField,
          waitsAt: audit44, heldSinceAt: transfer28, waitingForSeconds: 3.2),
      ])
  }

  static var deadlock: Report {
    var report = Report(
      verdict: .deadlock, signature: "", process: bank(), findings: [deadlockFinding],
      locks: [
        mutex("L1", 0x55d0_c0de_4080, "accounts_lock", state: "locked, owner 4711, waiters"),
        mutex(
          "L2", 0x55d0_c0de_40c0, "ledger_lock", state: "locked, owner 4712, waiters",
          initialised: at("main", "bank.c", 80)),
      ],
      threads: [
        ThreadReport(
          tid: tid(4700), name: "bank", state: "asleep in epoll_wait",
          stack: [
            plumbing("epoll_wait"), at("serve", "bank.c", 70), at("main", "bank.c", 90), plumbing("__libc_start_main"),
          ]),
        ThreadReport(
          tid: tid(4711), name: "alice", state: "waiting for L2",
          stack: waitingStack(transfer31, at("worker", "bank.c", 60)),
          holds: ["L1"], waitsFor: "L2"),
        ThreadReport(
          tid: tid(4712), name: "bob", state: "waiting for L1",
          stack: waitingStack(audit44, at("tick", "bank.c", 51, inlined: true), at("worker", "bank.c", 62)),
          holds: ["L2"], waitsFor: "L1"),
      ], timing: ["detect": 2.1, "stacks": 3.4, "symbols": 41.7, "pause": 0], source: "live")
    report.signature = Signature.of(report)
    return report
  }

  /// Five philosophers, twelve threads behind them.
  static var ringOfFive: Report {
    let take = at("eat", "phil.c", 20, module: "phil", offset: 0x1500)
    let want = at("eat", "phil.c", 21, module: "phil", offset: 0x1520)
    let seats = Array(0..<5)
    let edges = seats.map { seat in
      Edge(
        waiter: tid(Int32(5001 + seat)), lock: "L\((seat + 1) % 5 + 1)", mode: .exclusive,
        holders: [tid(Int32(5001 + (seat + 1) % 5))], evidence: .arena, waitsAt: want, heldSinceAt: take,
        waitingForSeconds: 12.5 - Double(seat) / 10)
    }
    let philosophers = seats.map { seat in
      ThreadReport(
        tid: tid(Int32(5001 + seat)), name: "phil-\(seat)", state: "waiting for L\((seat + 1) % 5 + 1)",
        stack: waitingStack(want, at("philosopher", "phil.c", 33, module: "phil")), holds: ["L\(seat + 1)"],
        waitsFor: "L\((seat + 1) % 5 + 1)")
    }
    let guests = (0..<12).map { number in
      ThreadReport(
        tid: tid(Int32(5100 + number)), name: "guest-\(number)", state: "waiting for L1",
        stack: waitingStack(at("visit", "phil.c", 48, module: "phil")), waitsFor: "L1")
    }
    var report = Report(
      verdict: .deadlock, signature: "",
      process: ProcessReport(
        pid: 5000, command: "./phil 5", executable: "/srv/bank/phil", condition: "running"),
      findings: [
        Finding(
          kind: .deadlock, certainty: .inferred, summary: "", edges: edges, bystanders: guests.map(\.tid),
          evidence: [
            "The kernel would not say what thread 5003 waits in: /proc/5000/task/5003/syscall needs CAP_SYS_PTRACE."
          ])
      ],
      locks: seats.map {
        mutex("L\($0 + 1)", 0x4c40a0 + UInt64($0) * 40, "fork_of+\($0 * 40)", state: "locked, owner \(5001 + $0)")
      },
      threads: philosophers + guests, source: "live")
    report.signature = Signature.of(report)
    return report
  }

  /// The shape of the contagious deadlock: a read guard alive in an `else` that writes.
  static var selfDeadlock: Report {
    let read = at("proxy::router::Router::learn", "src/router.rs", 57, module: "proxy", offset: 0x9a10)
    let write = at("proxy::router::Router::learn", "src/router.rs", 61, module: "proxy", offset: 0x9a88)
    let std = plumbing("std::sys::sync::rwlock::futex::RwLock::write_contended", module: "proxy", offset: 0x11020)
    var report = Report(
      verdict: .selfDeadlock, signature: "",
      process: ProcessReport(
        pid: 881, command: "proxy --region ams", executable: "/usr/bin/proxy", condition: "running"),
      findings: [
        Finding(
          kind: .selfDeadlock, certainty: .inferred, summary: "",
          edges: [
            Edge(
              waiter: tid(890), lock: "L1", mode: .write, holders: [tid(890)], evidence: .landingPad, waitsAt: write,
              heldSinceAt: read, heldIn: read,
              releasedAt: at("proxy::router::Router::learn", "src/router.rs", 63, module: "proxy"),
              guardType: "RwLockReadGuard",
              guardVariable: GuardVariable(name: "routes", file: "/build/proxy/src/router.rs", line: 57),
              heldMode: .read, waitingForSeconds: 125)
          ], bystanders: [tid(891), tid(892)], evidence: ["The arena has no entry: this lock is taken without a call."])
      ],
      locks: [
        LockReport(
          id: "L1", address: Address(0x7f31_0c00_2a40), type: .rwlock, library: "Rust std",
          state: "1 reader, writers wait")
      ],
      threads: [
        ThreadReport(
          tid: tid(890), name: "gossip", state: "waiting to write L1",
          stack: [
            plumbing("syscall"), std, write,
            at("proxy::gossip::apply::{{closure}}", "src/gossip.rs", 18, module: "proxy"),
          ],
          holds: ["L1"], waitsFor: "L1"),
        ThreadReport(
          tid: tid(891), name: "conn-1", state: "waiting to read L1",
          stack: [std, at("proxy::conn::route", "src/conn.rs", 9, module: "proxy")], waitsFor: "L1"),
        ThreadReport(
          tid: tid(892), name: "conn-2", state: "waiting to read L1",
          stack: [std, at("proxy::conn::route", "src/conn.rs", 9, module: "proxy")], waitsFor: "L1"),
      ], source: "live")
    report.signature = Signature.of(report)
    return report
  }

  static var rwlock: LockReport {
    LockReport(
      id: "L1", address: Address(0x55d0_c0de_5000), type: .rwlock, library: "glibc", name: "table_lock",
      state: "2 readers, a writer waits")
  }

  static var upgrade: Report {
    let read = at("lookup", "table.cpp", 12)
    let write = at("Table::insert<std::string>(std::string const&)", "table.cpp", 19)
    func edge(_ waiter: Int32, _ holder: Int32) -> Edge {
      Edge(
        waiter: tid(waiter), lock: "L1", mode: .write, holders: [tid(holder)], evidence: .arena, waitsAt: write,
        heldSinceAt: read, heldMode: .read, waitingForSeconds: 0.85)
    }
    var report = Report(
      verdict: .upgradeDeadlock, signature: "", process: bank(),
      findings: [
        Finding(kind: .upgradeDeadlock, certainty: .proven, summary: "", edges: [edge(4711, 4712), edge(4712, 4711)])
      ],
      locks: [rwlock],
      threads: [
        ThreadReport(
          tid: tid(4711), name: "bank", state: "waiting to write L1", stack: waitingStack(write), holds: ["L1"],
          waitsFor: "L1"),
        ThreadReport(
          tid: tid(4712), name: "bank", state: "waiting to write L1", stack: waitingStack(write), holds: ["L1"],
          waitsFor: "L1"),
      ], source: "live")
    report.signature = Signature.of(report)
    return report
  }

  static var recursiveRead: Report {
    let outer = at("render_page", "site.c", 100)
    let inner = at("user_name", "site.c", 42)
    let write = at("reload", "site.c", 77)
    var report = Report(
      verdict: .recursiveReadDeadlock, signature: "", process: bank(),
      findings: [
        Finding(
          kind: .recursiveReadDeadlock, certainty: .proven, summary: "",
          edges: [
            Edge(
              waiter: tid(4711), lock: "L1", mode: .read, holders: [tid(4712)], evidence: .arena, waitsAt: inner,
              waitingForSeconds: 5),
            Edge(
              waiter: tid(4712), lock: "L1", mode: .write, holders: [tid(4711)], evidence: .arena, waitsAt: write,
              heldSinceAt: outer, heldMode: .read, waitingForSeconds: 5.1),
          ])
      ],
      locks: [rwlock],
      threads: [
        ThreadReport(
          tid: tid(4711), name: "reader", state: "waiting to read L1", stack: waitingStack(inner, outer), holds: ["L1"],
          waitsFor: "L1"),
        ThreadReport(
          tid: tid(4712), name: "writer", state: "waiting to write L1", stack: waitingStack(write), waitsFor: "L1"),
      ], source: "live")
    report.signature = Signature.of(report)
    return report
  }

  static var joinCycle: Report {
    let main = at("shutdown", "bank.c", 120)
    let work = at("flush", "bank.c", 66)
    var report = Report(
      verdict: .joinCycle, signature: "", process: bank(),
      findings: [
        Finding(
          kind: .joinCycle, certainty: .proven, summary: "",
          edges: [
            Edge(
              waiter: tid(4700), lock: "end of thread 4711", mode: .signal, holders: [tid(4711)], evidence: .arena,
              waitsAt: main, waitingForSeconds: 61),
            Edge(
              waiter: tid(4711), lock: "L1", mode: .exclusive, holders: [tid(4700)], evidence: .ownerField,
              waitsAt: work,
              heldSinceAt: at("shutdown", "bank.c", 115), waitingForSeconds: 61),
          ])
      ],
      locks: [
        mutex("L1", 0x55d0_c0de_4080, "accounts_lock", state: "locked, owner 4700, waiters")
      ],
      threads: [
        ThreadReport(
          tid: tid(4700), name: "bank", state: "waiting for thread 4711 to end", stack: waitingStack(main),
          holds: ["L1"]),
        ThreadReport(
          tid: tid(4711), name: "flusher", state: "waiting for L1", stack: waitingStack(work), waitsFor: "L1"),
      ], source: "live")
    report.signature = Signature.of(report)
    return report
  }

  static var timedCycle: Report {
    var report = deadlock
    report.verdict = .timedCycle
    report.findings[0].kind = .timedCycle
    report.findings[0].certainty = .suspect
    report.findings[0].evidence = ["Both waits have a deadline (pthread_mutex_timedlock): in 1.2 s and 1.5 s."]
    report.signature = Signature.of(report)
    return report
  }
}
