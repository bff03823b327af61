/// A return address of a lock operation, and those above it where the arena has them.
package struct CallSite: Hashable, Sendable {
  /// Return address into the code that called the lock operation; 0 where it is not known.
  package var address: Address
  /// Return addresses further up, innermost first; unverified (read along frame pointers).
  package var callers: [Address]
  package init(address: Address, callers: [Address] = []) {
    self.address = address
    self.callers = callers
  }
}

/// x86-64 registers a call preserves, taken inside the shim's frame when a wait begins.
package struct WaitContext: Hashable, Sendable {
  package var ip, sp, bp, bx, r12, r13, r14, r15: UInt64
  package init(
    ip: UInt64, sp: UInt64, bp: UInt64, bx: UInt64, r12: UInt64, r13: UInt64, r14: UInt64, r15: UInt64
  ) {
    (self.ip, self.sp, self.bp, self.bx) = (ip, sp, bp, bx)
    (self.r12, self.r13, self.r14, self.r15) = (r12, r13, r14, r15)
  }
}

/// A wait that is going on.
package struct Wait: Hashable, Sendable {
  /// The slot's `wait_seq`; odd. The same number seen twice is the same wait, uninterrupted in between.
  package var sequence: UInt64
  package var type: LockType
  package var mode: LockMode
  package var object: Address
  /// A condition's mutex; a join's target tid as a number, 0 where it is not known.
  package var companion: Address
  package var site: CallSite
  package var since: Instant
  /// `nil`: waits without limit.
  package var deadline: Instant?
  /// The mutex' owner field when the wait began.
  package var ownerAtBegin: ThreadID?
  /// Of an rwlock: whom it prefers, as its word said when the wait began.
  package var policyAtBegin: LockWord.Policy?
  /// Told by the kernel's account of the thread and not recorded by the shim: `sequence` says nothing.
  package var isFromKernel: Bool
  /// Of a futex wait: the call's arguments.
  package var futex: FutexWait?
  /// The library sleeps for a while at a time, again and again, until the wait is over: it has no limit, each sleep has one,
  /// and `sequence` changes with every sleep.
  package var isRenewed = false
  package var context: WaitContext
  /// The stack from `context.sp` upwards, copied when the wait began: what is left when the process is dead.
  package var stackTop: [UInt8]

  package init(
    sequence: UInt64, type: LockType, mode: LockMode, object: Address, companion: Address = Address(0),
    site: CallSite, since: Instant, deadline: Instant? = nil, ownerAtBegin: ThreadID? = nil,
    policyAtBegin: LockWord.Policy? = nil,
    isFromKernel: Bool = false, futex: FutexWait? = nil,
    context: WaitContext = WaitContext(ip: 0, sp: 0, bp: 0, bx: 0, r12: 0, r13: 0, r14: 0, r15: 0),
    stackTop: [UInt8] = []
  ) {
    self.sequence = sequence
    self.type = type
    self.mode = mode
    self.object = object
    self.companion = companion
    self.site = site
    self.since = since
    self.deadline = deadline
    self.ownerAtBegin = ownerAtBegin
    self.policyAtBegin = policyAtBegin
    self.isFromKernel = isFromKernel
    self.futex = futex
    self.context = context
    self.stackTop = stackTop
  }
}

/// A lock a thread has.
package struct Held: Hashable, Sendable {
  package var object: Address
  package var type: LockType
  package var mode: LockMode
  /// Recursion depth, at least 1.
  package var count: Int
  package var site: CallSite
  /// Known after a contended acquire only.
  package var since: Instant?
  /// How it is known: recorded by the shim, or found out afterwards.
  package var evidence: HolderEvidence

  package init(
    object: Address, type: LockType, mode: LockMode, count: Int = 1, site: CallSite, since: Instant? = nil,
    evidence: HolderEvidence = .arena
  ) {
    self.object = object
    self.type = type
    self.mode = mode
    self.count = count
    self.site = site
    self.since = since
    self.evidence = evidence
  }
}

/// A semaphore permit this thread took and has not posted. Evidence for a holder, never proof.
package struct Permit: Hashable, Sendable {
  package var object: Address
  package var site: CallSite
  /// TSC when it was taken: orders permits of different threads, nothing else.
  package var takenTicks: UInt64
  package var count: Int
  package init(object: Address, site: CallSite, takenTicks: UInt64, count: Int) {
    self.object = object
    self.site = site
    self.takenTicks = takenTicks
    self.count = count
  }
}

/// A semaphore post by a thread that held no permit of it.
package struct Post: Hashable, Sendable {
  package var object: Address
  package var postedTicks: UInt64
  package init(object: Address, postedTicks: UInt64) {
    self.object = object
    self.postedTicks = postedTicks
  }
}

/// A contended wait of the past, or one that has not ended.
package struct PastWait: Hashable, Sendable {
  package enum Outcome: String, Hashable, Sendable {
    case inProgress = "in progress"
    case acquired, timeout, interrupted
    case refusedAsDeadlock = "refused as deadlock"
    case error, cancelled
    case ownerDied = "owner died"
  }
  package var type: LockType
  package var mode: LockMode
  package var object: Address
  package var companion: Address
  package var site: CallSite
  package var begin: Instant
  package var durationNanoseconds: UInt64
  package var owner: ThreadID?
  package var outcome: Outcome
  package init(
    type: LockType, mode: LockMode, object: Address, companion: Address = Address(0), site: CallSite, begin: Instant,
    durationNanoseconds: UInt64, owner: ThreadID? = nil, outcome: Outcome
  ) {
    self.type = type
    self.mode = mode
    self.object = object
    self.companion = companion
    self.site = site
    self.begin = begin
    self.durationNanoseconds = durationNanoseconds
    self.owner = owner
    self.outcome = outcome
  }
}

/// One thread as its slot tells it.
package struct ThreadState: Hashable, Sendable {
  package enum Phase: Hashable, Sendable {
    case live
    /// The thread is gone and had not released what it held.
    case exitedHolding(at: Instant)
  }
  package var tid: ThreadID
  package var name: String
  /// Index of the slot in its arena, and how many threads had used it before.
  package var slot: Int
  package var generation: Int
  /// The thread's `pthread_t`.
  package var pthread: Address
  package var phase: Phase
  package var wait: Wait?
  /// What the thread holds. True for a waiting thread; for a running one a hint that may be torn.
  package var held: [Held]
  /// `held` is known to lack entries.
  package var heldIsIncomplete: Bool
  /// A signal handler locks inside this thread's wait: nothing here is frozen.
  package var isInterrupted: Bool
  package var permits: [Permit]
  package var posts: [Post]
  /// Pid of its process, where that is not the one the diagnosis is about.
  package var process: Int32?
  package init(
    tid: ThreadID, name: String, slot: Int, generation: Int = 0, pthread: Address = Address(0), phase: Phase = .live,
    wait: Wait? = nil, held: [Held] = [], heldIsIncomplete: Bool = false, isInterrupted: Bool = false,
    permits: [Permit] = [], posts: [Post] = [], process: Int32? = nil
  ) {
    self.process = process
    self.tid = tid
    self.name = name
    self.slot = slot
    self.generation = generation
    self.pthread = pthread
    self.phase = phase
    self.wait = wait
    self.held = held
    self.heldIsIncomplete = heldIsIncomplete
    self.isInterrupted = isInterrupted
    self.permits = permits
    self.posts = posts
  }
}
