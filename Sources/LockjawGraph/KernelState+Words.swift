import LockjawModel

extension KernelState {
  /// What the thread does, to follow "thread 4242 is ".
  package var words: String {
    switch self {
    case .futexWait(let word): "asleep in a futex wait on \(word)"
    case .systemCall(_, let name?): "in the system call \(name)"
    case .systemCall(let number, nil): "in system call \(number)"
    case .running: "running"
    case .gone: "gone"
    case .unknown(let reason): "in a state that could not be read: \(reason)"
    }
  }
}
