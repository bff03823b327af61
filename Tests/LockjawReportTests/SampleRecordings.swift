import LockjawModel
import LockjawReport

/// Reports about what levels `sites` and `all` recorded, and about heartbeats.
enum SampleRecordings {
  static var missedHeartbeat: Report {
    var report = Report(
      verdict: .missedHeartbeat, signature: "", process: bank(),
      findings: [
        Finding(
          kind: .missedHeartbeat, certainty: .proven, summary: "", edges: [],
          heartbeat: MissedHeartbeat(
            name: "event loop", thread: tid(4701), withinSeconds: 0.25, lastSecondsAgo: 3.2, count: 17_041)),
        Finding(
          kind: .missedHeartbeat, certainty: .proven, summary: "",
          edges: [
            Edge(
              waiter: tid(4702), lock: "L1", mode: .exclusive, holders: [tid(4703)], evidence: .arena,
              waitsAt: at("flush", "journal.c", 40), heldSinceAt: at("rotate", "journal.c", 71),
              heldMode: .exclusive, waitingForSeconds: 1.4)
          ],
          heartbeat: MissedHeartbeat(
            name: "journal", thread: tid(4702), withinSeconds: 1, lastSecondsAgo: 1.5, count: 12)),
      ],
      locks: [mutex("L1", 0x55d0_c0de_4080, "journal.lock", state: "locked, owner 4703, waiters")],
      threads: [
        ThreadReport(
          tid: tid(4701), name: "loop", state: "asleep in read (fd 7: pipe:[991])",
          stack: [plumbing("read"), at("resolve", "dns.c", 88), at("run_loop", "loop.c", 12)],
          breadcrumb: "request 4711"),
        ThreadReport(
          tid: tid(4702), name: "flusher", state: "waiting for mutex L1",
          stack: waitingStack(at("flush", "journal.c", 40)), waitsFor: "L1"),
        ThreadReport(
          tid: tid(4703), name: "rotator", state: "asleep in fsync (fd 9)",
          stack: [plumbing("fsync"), at("rotate", "journal.c", 77)], holds: ["L1"]),
      ], source: "live")
    report.signature = Signature.of(report)
    return report
  }

  static var profile: Report {
    Report(
      verdict: .healthy, signature: "", process: bank("exited with status 0"), findings: [], locks: [], threads: [],
      profile: Profile(
        level: .sites,
        locks: ProfileSection(
          classes: [
            LockClassProfile(
              type: .mutex, origin: .initialised, at: at("shard_new", "table.c", 31), lockCount: 64,
              names: ["shards[0].lock", "shards[1].lock"],
              tally: LockTally(
                operations: 184_220, failures: 12, waits: 920, waitSeconds: 4.25, longestWaitSeconds: 0.081,
                timedHolds: 3_799, estimatedHoldSeconds: 6.5, longestHoldSeconds: 0.08, waitingNow: 2,
                waitingNowSeconds: 0.003),
              sites: [
                SiteProfile(
                  at: at("shard_put", "table.c", 57), mode: .exclusive,
                  tally: LockTally(
                    operations: 120_000, waits: 900, waitSeconds: 4.2, longestWaitSeconds: 0.081, timedHolds: 2_700,
                    estimatedHoldSeconds: 6, longestHoldSeconds: 0.08, waitingNow: 2, waitingNowSeconds: 0.003)),
                SiteProfile(
                  at: at("shard_get", "table.c", 44), mode: .exclusive,
                  tally: LockTally(
                    operations: 64_219, failures: 12, waits: 20, waitSeconds: 0.05, longestWaitSeconds: 0.01,
                    timedHolds: 1_099, estimatedHoldSeconds: 0.5, longestHoldSeconds: 0.002)),
                SiteProfile(at: nil, mode: .exclusive, tally: LockTally(operations: 1)),
              ], omittedSites: 3),
            LockClassProfile(
              type: .rwlock, origin: .firstUsed, at: at("config_get", "config.c", 9), lockCount: 1,
              names: ["config_lock"],
              tally: LockTally(operations: 1, waits: 1, waitSeconds: 0.5, longestWaitSeconds: 0.5),
              sites: [
                SiteProfile(
                  at: at("config_get", "config.c", 9), mode: .read,
                  tally: LockTally(operations: 1, waits: 1, waitSeconds: 0.5, longestWaitSeconds: 0.5))
              ]),
            LockClassProfile(
              type: .mutex, origin: .notToldApart, at: at("node_touch", "tree.c", 3), lockCount: 0,
              tally: LockTally(operations: 9_000),
              sites: [
                SiteProfile(
                  at: at("node_touch", "tree.c", 3), mode: .exclusive, tally: LockTally(operations: 9_000))
              ]),
          ], omittedClasses: 7, lockCount: 80,
          tally: LockTally(
            operations: 200_000, failures: 12, waits: 921, waitSeconds: 4.75, longestWaitSeconds: 0.5,
            timedHolds: 3_800, estimatedHoldSeconds: 6.5, longestHoldSeconds: 0.08, waitingNow: 2,
            waitingNowSeconds: 0.003)),
        signals: ProfileSection(
          classes: [
            LockClassProfile(
              type: .condition, origin: .firstUsed, at: at("pop", "queue.c", 12), lockCount: 1,
              names: ["queue.ready"],
              tally: LockTally(operations: 5, waitingNow: 4, waitingNowSeconds: 240),
              sites: [
                SiteProfile(
                  at: at("pop", "queue.c", 12), mode: .signal,
                  tally: LockTally(operations: 0, waitingNow: 4, waitingNowSeconds: 240))
              ])
          ], lockCount: 1, tally: LockTally(operations: 5, waitingNow: 4, waitingNowSeconds: 240)),
        notes: ["Counting began while the process ran; what came before is not in it."]),
      losses: ["uncounted": 3], source: "arena")
  }

  static var flightRecorder: Report {
    var report = SampleCycles.deadlock
    let take = at("transfer", "bank.c", 28)
    for index in report.threads.indices where report.threads[index].tid == tid(4711) {
      report.threads[index].flightRecord = FlightRecord(
        operations: [
          OperationEntry(
            kind: .waitBegin, lock: Address(0x55d0_c0de_4080), type: .mutex, mode: .exclusive, site: take,
            secondsAgo: 12.5),
          OperationEntry(
            kind: .waitEnd, lock: Address(0xfeed), type: .rwlock, mode: .read, site: take, secondsAgo: 12.6,
            outcome: .timeout),
          OperationEntry(
            kind: .acquire, lock: Address(0xbeef), type: .rwlock, mode: .write, site: nil, secondsAgo: 12.7,
            isContended: true),
        ], olderInRing: 4093, lost: 20)
    }
    return report
  }
}
