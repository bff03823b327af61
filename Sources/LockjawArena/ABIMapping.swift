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

/// The names under which losses appear in reports, by `LJ_LOSS_*` index.
let lossNames: [String] = [
  "no-slot", "held-overflow", "reentrant", "foreign-release", "modules", "before-set-up", "after-exit",
  "permit-evicted", "no-memory",
]
