import CLockjawABI
import LockjawModel

// The format's numbers in the model's words. A number this version does not know becomes `nil`, and what carries
// it is skipped: a newer shim may record more kinds of object than an older reader can name.

extension LockType {
  init?(abi kind: UInt8) {
    switch Int(kind) {
    case LJ_KIND_MUTEX: self = .mutex
    case LJ_KIND_RWLOCK: self = .rwlock
    case LJ_KIND_SPIN: self = .spinlock
    case LJ_KIND_COND: self = .condition
    case LJ_KIND_SEM: self = .semaphore
    case LJ_KIND_BARRIER: self = .barrier
    case LJ_KIND_JOIN: self = .join
    case LJ_KIND_FUTEX: self = .futex
    case LJ_KIND_PI_FUTEX: self = .piFutex
    case LJ_KIND_ONCE: self = .once
    case LJ_KIND_CXX_GUARD: self = .staticGuard
    case LJ_KIND_CUSTOM: self = .custom
    default: return nil
    }
  }
}

extension LockMode {
  init?(abi mode: UInt8) {
    switch Int(mode) {
    case LJ_MODE_EXCLUSIVE: self = .exclusive
    case LJ_MODE_READ: self = .read
    case LJ_MODE_WRITE: self = .write
    case LJ_MODE_SIGNAL: self = .signal
    default: return nil
    }
  }
}

extension PastWait.Outcome {
  init?(abi outcome: UInt8) {
    switch Int(outcome) {
    case LJ_OUTCOME_IN_PROGRESS: self = .inProgress
    case LJ_OUTCOME_ACQUIRED: self = .acquired
    case LJ_OUTCOME_TIMEOUT: self = .timeout
    case LJ_OUTCOME_INTERRUPTED: self = .interrupted
    case LJ_OUTCOME_DEADLOCK: self = .refusedAsDeadlock
    case LJ_OUTCOME_ERROR: self = .error
    case LJ_OUTCOME_CANCELLED: self = .cancelled
    case LJ_OUTCOME_OWNER_DIED: self = .ownerDied
    default: return nil
    }
  }
}

extension RecordingLevel {
  /// A number beyond those known records at least as much as the highest.
  init(abi level: UInt32) {
    switch Int(level) {
    case LJ_LEVEL_STATE: self = .state
    case LJ_LEVEL_SITES: self = .sites
    default: self = .all
    }
  }

  var abi: UInt32 {
    switch self {
    case .state: UInt32(LJ_LEVEL_STATE)
    case .sites: UInt32(LJ_LEVEL_SITES)
    case .all: UInt32(LJ_LEVEL_ALL)
    }
  }
}

extension TickClock.Source {
  init?(abi source: UInt32) {
    switch Int(source) {
    case LJ_TICKS_MONOTONIC: self = .monotonic
    case LJ_TICKS_TSC: self = .timeStampCounter
    default: return nil
    }
  }
}

extension RecordedOperation.Kind {
  /// `nil` also for what is not an operation of the program's: a clock reading, a thread's beginning or end.
  init?(abi operation: UInt8) {
    switch Int(operation) {
    case LJ_OP_ACQUIRE: self = .acquire
    case LJ_OP_RELEASE: self = .release
    case LJ_OP_RELEASE_FAILED: self = .releaseFailed
    case LJ_OP_TRY_FAILED: self = .tryFailed
    case LJ_OP_WAIT_BEGIN: self = .waitBegin
    case LJ_OP_WAIT_END: self = .waitEnd
    case LJ_OP_SIGNAL: self = .signal
    case LJ_OP_BROADCAST: self = .broadcast
    case LJ_OP_INIT: self = .initialise
    case LJ_OP_DESTROY: self = .destroy
    default: return nil
    }
  }
}

/// The names under which losses appear in reports, by `LJ_LOSS_*` index.
let lossNames: [String] = [
  "no-slot", "held-overflow", "reentrant", "foreign-release", "modules", "before-set-up", "after-exit",
  "permit-evicted", "no-memory", "uncounted", "no-ring", "annotations",
]
