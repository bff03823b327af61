import LockjawModel
import LockjawReport

/// Reports that are no cycle, and reports that are hard to write.
enum SampleOthers {
  static var orphanedLock: Report {
    let take = at("import_batch", "import.c", 31)
    let want = at("export_batch", "export.c", 12)
    var report = Report(
      verdict: .orphanedLock, signature: "", process: bank(),
      findings: [
        Finding(
          kind: .orphanedLock, certainty: .proven, summary: "",
          edges: (4720...4722).map {
            Edge(
              waiter: tid($0), lock: "L1", mode: .exclusive, holders: [tid(4713)], evidence: .ownerField, waitsAt: want,
              heldSinceAt: take, waitingForSeconds: Double($0 - 4700))
          })
      ],
      locks: [
        mutex("L1", 0x7ffe_1230_0040, state: "locked, owner 4713, waiters", initialised: at("store_new", "store.c", 9))
      ],
      threads: [ThreadReport(tid: tid(4713), name: "importer", state: "exited 23 s ago", stack: [], holds: ["L1"])]
        + (4720...4722).map {
          ThreadReport(
            tid: tid($0), name: "exporter", state: "waiting for L1", stack: waitingStack(want), waitsFor: "L1")
        }, source: "live")
    report.signature = Signature.of(report)
    return report
  }

  static var longHold: Report {
    let take = at("Cache::refresh(Key const&)", "cache.cpp", 55)
    let slow = at("Http::get(std::string const&)", "http.cpp", 210)
    var report = Report(
      verdict: .longHold, signature: "", process: bank(),
      findings: [
        Finding(
          kind: .longHold, certainty: .proven, summary: "",
          edges: (4720...4721).map {
            Edge(
              waiter: tid($0), lock: "L1", mode: .exclusive, holders: [tid(4711)], evidence: .arena,
              waitsAt: at("Cache::get(Key const&)", "cache.cpp", 31), heldSinceAt: take, waitingForSeconds: 31.4)
          }, evidence: ["The holder moved between two looks: it is not stuck on a lock."])
      ],
      locks: [mutex("L1", 0x55d0_c0de_4080, "cache_lock", state: "locked, owner 4711, waiters")],
      threads: [
        ThreadReport(
          tid: tid(4711), name: "refresher", state: "is asleep in recvfrom (fd 12)",
          stack: [plumbing("recvfrom"), slow, at("Cache::refresh(Key const&)", "cache.cpp", 61)], holds: ["L1"])
      ]
        + (4720...4721).map {
          ThreadReport(
            tid: tid($0), name: "web-\($0 - 4720)", state: "waiting for L1",
            stack: waitingStack(at("Cache::get(Key const&)", "cache.cpp", 31)), waitsFor: "L1")
        }, source: "live")
    report.signature = Signature.of(report)
    return report
  }

  static var contention: Report {
    Report(
      verdict: .contention, signature: "", process: bank(),
      findings: [
        Finding(
          kind: .contention, certainty: .inferred, summary: "",
          edges: [
            Edge(
              waiter: tid(4711), lock: "L1", mode: .exclusive, holders: [tid(4712)], evidence: .ownerField,
              waitsAt: at("push", "queue.c", 14), heldSinceAt: at("pop", "queue.c", 25), waitingForSeconds: 0.000_12)
          ])
      ],
      locks: [mutex("L1", 0x55d0_c0de_4080, "queue_lock", state: "locked, owner 4712, waiters")],
      threads: [
        ThreadReport(
          tid: tid(4711), name: "producer", state: "waiting for L1", stack: waitingStack(at("push", "queue.c", 14)),
          waitsFor: "L1"),
        ThreadReport(
          tid: tid(4712), name: "consumer", state: "running", stack: [at("pop", "queue.c", 27)], holds: ["L1"]),
      ], source: "live")
  }

  static var idle: Report {
    Report(
      verdict: .idle, signature: "", process: bank(), findings: [], locks: [],
      threads: [
        ThreadReport(
          tid: tid(4700), name: "bank", state: "asleep in epoll_wait",
          stack: [plumbing("epoll_wait"), at("serve", "bank.c", 70)])
      ]
        + (1...30).map {
          ThreadReport(
            tid: tid(4700 + $0), name: "worker-\($0)", state: "asleep in a condition wait",
            stack: [plumbing("pthread_cond_wait"), at("next_job", "pool.c", 40), at("worker", "pool.c", 60)])
        }, source: "live")
  }

  static var healthy: Report {
    Report(
      verdict: .healthy, signature: "", process: bank(), findings: [], locks: [],
      threads: [ThreadReport(tid: tid(4700), name: "bank", state: "running", stack: [at("compute", "bank.c", 7)])],
      source: "live")
  }

  static var hangUnknown: Report {
    let wait = at("ledger::Ledger::post", "src/ledger.rs", 88, module: "ledger", offset: 0x88)
    let std = plumbing("std::sys::sync::mutex::futex::Mutex::lock_contended", module: "ledger", offset: 0x700)
    var report = Report(
      verdict: .hangUnknown, signature: "",
      process: ProcessReport(pid: 900, command: "ledger", executable: "/opt/ledger/ledger", condition: "running"),
      findings: [
        Finding(
          kind: .hangUnknown, certainty: .suspect, summary: "",
          edges: [
            Edge(
              waiter: tid(901), lock: "L1", mode: .signal, holders: [], evidence: .none, waitsAt: wait,
              waitingForSeconds: 44),
            Edge(
              waiter: tid(902), lock: "L2", mode: .signal, holders: [], evidence: .none,
              waitsAt: at(nil, module: "libaudit.so.1", offset: 0x4f20), waitingForSeconds: 43.5),
          ], evidence: ["A Rust std mutex has no owner in its word: 2 means locked, with waiters."])
      ],
      locks: [
        LockReport(
          id: "L1", address: Address(0x7f31_0c00_2a40), type: .futex, library: "Rust std",
          state: "2: locked, with waiters"),
        LockReport(
          id: "L2", address: Address(0x7f31_0c00_2a80), type: .futex, library: "Rust std",
          state: "2: locked, with waiters"),
      ],
      threads: [
        ThreadReport(
          tid: tid(901), name: "post", state: "sleeping on futex L1",
          stack: [
            plumbing("syscall"), std, wait, at("ledger::main::{{closure}}", "src/main.rs", 14, module: "ledger"),
          ], waitsFor: "L1"),
        ThreadReport(
          tid: tid(902), name: "audit", state: "sleeping on futex L2",
          stack: [
            plumbing("syscall"), std, at(nil, module: "libaudit.so.1", offset: 0x4f20),
            at(nil, module: "libaudit.so.1", offset: 0x5120),
          ],
          waitsFor: "L2"),
      ],
      modules: [
        ModuleCoverage(
          module: "service", path: "/usr/bin/service", buildID: "77aa01", addresses: 5, withLine: 4, functionOnly: 1),
        ModuleCoverage(
          module: "libaudit.so.1", path: "/usr/lib/libaudit.so.1 (deleted)", addresses: 2, withLine: 0, functionOnly: 0,
          shortage: .deleted),
      ],
      diagnostics: ["libaudit.so.1: no symbols (0 of 2 frames have names); build-id 77aa00."], source: "live")
    report.signature = Signature.of(report)
    return report
  }

  /// What an arena tells of a process that is gone.
  static var deadFromArena: Report {
    var report = SampleCycles.deadlock
    report.process.condition = "killed by signal 9 (SIGKILL)"
    report.source = "arena"
    report.findings[0].certainty = .inferred
    report.findings[0].evidence = ["The process is dead: its lock words and the kernel cannot be asked."]
    report.timing = [:]
    report.history = [
      HistoryEntry(
        thread: tid(4711), threadName: "alice", lock: Address(0x55d0_c0de_40c0), type: .mutex, mode: .exclusive,
        site: SampleCycles.transfer31, beganSecondsAgo: 3.214, durationSeconds: 3.214, outcome: .inProgress),
      HistoryEntry(
        thread: tid(4712), threadName: "bob", lock: Address(0x55d0_c0de_4080), type: .mutex, mode: .exclusive,
        site: SampleCycles.audit44, beganSecondsAgo: 3.2, durationSeconds: 3.2, outcome: .inProgress),
      HistoryEntry(
        thread: tid(4711), threadName: "alice", lock: Address(0x55d0_c0de_4080), type: .mutex, mode: .exclusive,
        site: SampleCycles.transfer28, beganSecondsAgo: 3.9, durationSeconds: 0.000_4, outcome: .acquired),
      HistoryEntry(
        thread: tid(4730), threadName: "", lock: Address(0x7fff_0000_1000), type: .rwlock, mode: .read, site: nil,
        beganSecondsAgo: 90, durationSeconds: 1, outcome: .timeout),
    ]
    return report
  }

  static var severalFindings: Report {
    var report = orphanedLock
    let deadlock = SampleCycles.deadlock
    var cycle = deadlock.findings[0]
    for index in cycle.edges.indices { cycle.edges[index].lock = cycle.edges[index].lock == "L1" ? "L8" : "L9" }
    report.findings.append(cycle)
    report.verdict = .deadlock
    report.locks += deadlock.locks.map { lock in
      var lock = lock
      lock.id = lock.id == "L1" ? "L8" : "L9"
      return lock
    }
    report.threads += deadlock.threads
    report.signature = Signature.of(report)
    return report
  }

  static var losses: Report {
    var report = SampleCycles.deadlock
    report.findings[0].bystanders = [tid(4700)]
    report.diagnostics = [
      "libfoo.so.2: no debug information, functions only (12 of 12 frames have names, 0 have lines); install libfoo2-dbgsym.",
      "Thread 4799 could not be stopped within 50 ms: it is inside vfork.",
    ]
    report.losses = [
      "no-slot": 4, "held-overflow": 2, "reentrant": 1, "foreign-release": 1, "modules": 3, "before-set-up": 1,
      "after-exit": 5,
      "permit-evicted": 0, "no-memory": 17, "vanished-pages": 2, "cosmic-rays": 3,
    ]
    report.timing = ["detect": 2, "pause": 12.25]
    return report
  }

  /// A program that attacks the terminal of whoever diagnoses it.
  static var hostile: Report {
    let escape = "\u{1b}[2J\u{1b}]0;owned\u{7}"
    let longName =
      "std::map<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >, std::vector<std::pair<int, "
      + "std::shared_ptr<bank::Account> >, std::allocator<std::pair<int, std::shared_ptr<bank::Account> > > > >::operator[](key&&)"
    let frame = Frame(
      function: "evil\(escape)\u{202e}()",
      file: "/tmp/a\nb/\u{9b}31m/very/long/path with blanks/" + String(repeating: "deep/", count: 20) + "x.c",
      line: 3, module: "mod\r\u{2028}.so", offset: 1)
    return Report(
      verdict: .deadlock, signature: "LJ1-\u{1b}X",
      process: ProcessReport(
        pid: -1, command: "a\u{0}b \(escape) \\ \"quoted\"", executable: "", condition: "run\u{85}ning"),
      findings: [
        Finding(
          kind: .deadlock, certainty: .proven, summary: "DEADLOCK \(escape) \u{200b}x",
          edges: [
            Edge(
              waiter: tid(1), lock: "L1", mode: .exclusive, holders: [tid(2)], evidence: .arena, waitsAt: frame,
              heldSinceAt: at(longName, "bank.c", 28), waitingForSeconds: .nan),
            Edge(
              waiter: tid(2), lock: "L\u{7}", mode: .exclusive, holders: [tid(1)], evidence: .stack,
              waitsAt: at(longName, "bank.c", 28), heldSinceAt: frame, waitingForSeconds: .infinity),
          ], evidence: ["evidence\u{1b}[31m"])
      ],
      locks: [mutex("L1", 1, "lock\u{1b}[0m", state: "state\u{8}")],
      threads: [
        ThreadReport(
          tid: tid(1), name: "\u{1b}[31mred\"", state: "wait\ting", stack: [frame], holds: ["L\u{7}"], waitsFor: "L1"),
        ThreadReport(
          tid: tid(2), name: "名前🔒", state: "", stack: [at(longName, "bank.c", 28)], holds: [], waitsFor: "L\u{7}"),
      ],
      history: [
        HistoryEntry(
          thread: tid(9), threadName: "\u{7f}", lock: Address(.max), type: .futex, mode: .signal, site: frame,
          beganSecondsAgo: -1, durationSeconds: .nan, outcome: .cancelled)
      ],
      diagnostics: ["line one\nline two \u{feff}"], losses: ["\u{1b}cause": .max],
      timing: ["detect": .nan, "\u{1b}": 1],
      source: "live\u{1b}")
  }
}
