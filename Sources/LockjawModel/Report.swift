/// Kinds of verdict and finding, most serious first; the raw values are the JSON contract.
package enum FindingKind: String, Hashable, Sendable, CaseIterable, Comparable {
  case deadlock
  case selfDeadlock = "self-deadlock"
  case upgradeDeadlock = "upgrade-deadlock"
  case recursiveReadDeadlock = "recursive-read-deadlock"
  case joinCycle = "join-cycle"
  case orphanedLock = "orphaned-lock"
  case phantomLock = "phantom-lock"
  case lostWakeup = "lost-wakeup"
  case timedCycle = "timed-cycle"
  case livelock
  case missedHeartbeat = "missed-heartbeat"
  case longHold = "long-hold"
  case hangUnknown = "hang-unknown"
  case hostStarved = "host-starved"
  case contention
  case idle
  case healthy

  package static func < (a: FindingKind, b: FindingKind) -> Bool { a.severity < b.severity }
  /// 0 is the most serious.
  package var severity: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  /// Whether `attach`, `analyze` and `--on-hang` treat it as a hang.
  package var isHang: Bool {
    switch self {
    case .deadlock, .selfDeadlock, .upgradeDeadlock, .recursiveReadDeadlock, .joinCycle, .orphanedLock, .phantomLock,
      .lostWakeup, .livelock, .missedHeartbeat, .hangUnknown:
      true
    case .timedCycle, .longHold, .hostStarved, .contention, .idle, .healthy: false
    }
  }
}

package enum Certainty: String, Hashable, Sendable {
  /// Arena, lock words and kernel agree.
  case proven
  /// A witness is missing.
  case inferred
  /// A witness dissents, or the wait is of a kind that anyone can end.
  case suspect
}

extension Certainty {
  /// 0 is the most certain.
  package var rank: Int {
    switch self {
    case .proven: 0
    case .inferred: 1
    case .suspect: 2
    }
  }
}

/// How the holder of a lock is known; raw values are the JSON contract.
package enum HolderEvidence: String, Hashable, Sendable {
  case arena
  case ownerField = "owner-field"
  case lockWord = "lock-word"
  case landingPad = "landing-pad"
  case forwardRun = "forward-run"
  /// The kernel's own books say so: of file locks, of open descriptors, of parents and children.
  case kernel
  case stack
  case none

  /// Found by what a frame would release, not recorded by anybody.
  package var isFoundByFrames: Bool { self == .landingPad || self == .forwardRun }
}

/// One symbolised stack frame.
package struct Frame: Hashable, Sendable {
  /// Demangled; `nil` where nothing names the address.
  package var function: String?
  package var file: String?
  package var line: Int?
  /// File name of the module, or "[vdso]", or "?" outside any.
  package var module: String
  /// Address relative to the module's load bias, as `addr2line` takes it.
  package var offset: UInt64
  package var isInlined: Bool
  /// Shim, C library, lock library, thread entry: folded in text.
  package var isPlumbing: Bool
  /// Of a stack: an inner function has no unwind tables, and the way out of it was found by running it to its return on a copy.
  package var isBeyondTables: Bool
  package init(
    function: String?, file: String? = nil, line: Int? = nil, module: String, offset: UInt64, isInlined: Bool = false,
    isPlumbing: Bool = false, isBeyondTables: Bool = false
  ) {
    self.isBeyondTables = isBeyondTables
    self.function = function
    self.file = file
    self.line = line
    self.module = module
    self.offset = offset
    self.isInlined = isInlined
    self.isPlumbing = isPlumbing
  }
}

package struct Edge: Hashable, Sendable {
  package var waiter: ThreadID
  /// `LockReport.id`
  package var lock: String
  package var mode: LockMode
  package var holders: [ThreadID]
  package var evidence: HolderEvidence
  /// The frame to show: the innermost that is not plumbing.
  package var waitsAt: Frame?
  /// Where the first holder acquired the lock.
  package var heldSinceAt: Frame?
  /// The holder's frame that owns the hold, where it is known.
  package var heldIn: Frame?
  package var releasedAt: Frame?
  /// The type that ends there and with it the hold, without its path: `RwLockReadGuard`, `shared_lock`.
  package var guardType: String?
  /// The first holder's guard, where debug information names it.
  package var guardVariable: GuardVariable?
  /// Mode in which the first holder has it.
  package var heldMode: LockMode?
  package var waitingForSeconds: Double
  package init(
    waiter: ThreadID, lock: String, mode: LockMode, holders: [ThreadID], evidence: HolderEvidence,
    waitsAt: Frame? = nil, heldSinceAt: Frame? = nil, heldIn: Frame? = nil, releasedAt: Frame? = nil,
    guardType: String? = nil, guardVariable: GuardVariable? = nil, heldMode: LockMode? = nil, waitingForSeconds: Double
  ) {
    self.waiter = waiter
    self.lock = lock
    self.mode = mode
    self.holders = holders
    self.evidence = evidence
    self.waitsAt = waitsAt
    self.heldSinceAt = heldSinceAt
    self.heldIn = heldIn
    self.releasedAt = releasedAt
    self.guardType = guardType
    self.guardVariable = guardVariable
    self.heldMode = heldMode
    self.waitingForSeconds = waitingForSeconds
  }
}

package struct Finding: Hashable, Sendable {
  package var kind: FindingKind
  package var certainty: Certainty
  /// One sentence that names threads, locks and functions.
  package var summary: String
  /// In the order of the cycle, or one per waiter.
  package var edges: [Edge]
  /// Threads stuck behind the finding without being part of it.
  package var bystanders: [ThreadID]
  /// Why the certainty is not higher; what each witness said. Sentences.
  package var evidence: [String]
  /// Of a missed heartbeat.
  package var heartbeat: MissedHeartbeat?
  package init(
    kind: FindingKind, certainty: Certainty, summary: String, edges: [Edge], bystanders: [ThreadID] = [],
    evidence: [String] = [], heartbeat: MissedHeartbeat? = nil
  ) {
    self.heartbeat = heartbeat
    self.kind = kind
    self.certainty = certainty
    self.summary = summary
    self.edges = edges
    self.bystanders = bystanders
    self.evidence = evidence
  }
}

package struct LockReport: Hashable, Sendable {
  /// "L1", "L2" …: short, stable within one report.
  package var id: String
  /// Where it lies in `process`; 0 for what the kernel keeps (file locks, pipes, children).
  package var address: Address
  package var type: LockType
  /// "glibc", "Rust std", "parking_lot", "Swift", …
  package var library: String
  /// Symbol of a global lock, where its address is one.
  package var name: String?
  /// The word, in words.
  package var state: String
  package var initialisedAt: Frame?
  /// Pid of the process in whose memory it lies, where that is not the report's own.
  package var process: Int32?
  package init(
    id: String, address: Address, type: LockType, library: String, name: String? = nil, state: String,
    initialisedAt: Frame? = nil, process: Int32? = nil
  ) {
    self.process = process
    self.id = id
    self.address = address
    self.type = type
    self.library = library
    self.name = name
    self.state = state
    self.initialisedAt = initialisedAt
  }
}

package struct ThreadReport: Hashable, Sendable {
  package var tid: ThreadID
  package var name: String
  /// "waiting", "sleeping", "running", "exited" with what is known: "asleep in read (fd 3)".
  package var state: String
  /// Innermost first, inlined frames expanded.
  package var stack: [Frame]
  package var holds: [String]
  package var waitsFor: String?
  /// What it works on, in the program's own words.
  package var breadcrumb: String?
  /// Its newest operations, where the process records them.
  package var flightRecord: FlightRecord?
  /// Pid of the process it belongs to, where that is one of `Report.processes` and not the report's own.
  package var process: Int32?
  package init(
    tid: ThreadID, name: String, state: String, stack: [Frame], holds: [String] = [], waitsFor: String? = nil,
    process: Int32? = nil, breadcrumb: String? = nil, flightRecord: FlightRecord? = nil
  ) {
    self.flightRecord = flightRecord
    self.breadcrumb = breadcrumb
    self.process = process
    self.tid = tid
    self.name = name
    self.state = state
    self.stack = stack
    self.holds = holds
    self.waitsFor = waitsFor
  }
}

package struct ProcessReport: Hashable, Sendable {
  package var pid: Int32
  package var command: String
  package var executable: String
  package var buildID: String
  /// Wall-clock start, ISO 8601 in UTC; empty where it is not known.
  package var started: String
  /// "running", "exited with status 0", "killed by signal 9 (SIGKILL)", …
  package var condition: String
  package init(
    pid: Int32, command: String, executable: String, buildID: String = "", started: String = "", condition: String
  ) {
    self.pid = pid
    self.command = command
    self.executable = executable
    self.buildID = buildID
    self.started = started
    self.condition = condition
  }
}

/// A contended wait shown as history, newest first.
package struct HistoryEntry: Hashable, Sendable {
  package var thread: ThreadID
  package var threadName: String
  package var lock: Address
  package var type: LockType
  package var mode: LockMode
  package var site: Frame?
  /// Seconds before the moment of the report.
  package var beganSecondsAgo: Double
  package var durationSeconds: Double
  package var outcome: PastWait.Outcome
  package init(
    thread: ThreadID, threadName: String, lock: Address, type: LockType, mode: LockMode, site: Frame?,
    beganSecondsAgo: Double, durationSeconds: Double, outcome: PastWait.Outcome
  ) {
    self.thread = thread
    self.threadName = threadName
    self.lock = lock
    self.type = type
    self.mode = mode
    self.site = site
    self.beganSecondsAgo = beganSecondsAgo
    self.durationSeconds = durationSeconds
    self.outcome = outcome
  }
}

/// What people and machines read. Renderers are pure functions of this value; schema `lockjaw.report/1`.
package struct Report: Hashable, Sendable {
  package static let schema = "lockjaw.report/1"
  package var verdict: FindingKind
  /// "LJ1-…": equal for the same bug on every host and build.
  package var signature: String
  package var process: ProcessReport
  /// Other processes that findings lead to.
  package var processes: [ProcessReport]
  package var findings: [Finding]
  package var locks: [LockReport]
  package var threads: [ThreadReport]
  package var history: [HistoryEntry]
  /// What was counted, where the process counts.
  package var profile: Profile?
  /// Of each module that a frame of this report lies in.
  package var modules: [ModuleCoverage]
  package var diagnostics: [String]
  /// Events that were lost, by cause.
  package var losses: [String: UInt64]
  /// Milliseconds by step: "detect", "confirm", "stacks", "symbols"; "pause" is how long the target stood still.
  package var timing: [String: Double]
  /// "live", "arena", "core", …
  package var source: String
  package init(
    verdict: FindingKind, signature: String, process: ProcessReport, findings: [Finding], locks: [LockReport],
    threads: [ThreadReport], processes: [ProcessReport] = [], history: [HistoryEntry] = [], profile: Profile? = nil,
    modules: [ModuleCoverage] = [], diagnostics: [String] = [],
    losses: [String: UInt64] = [:], timing: [String: Double] = [:], source: String
  ) {
    self.processes = processes
    self.verdict = verdict
    self.signature = signature
    self.process = process
    self.findings = findings
    self.locks = locks
    self.threads = threads
    self.history = history
    self.profile = profile
    self.modules = modules
    self.diagnostics = diagnostics
    self.losses = losses
    self.timing = timing
    self.source = source
  }
}
