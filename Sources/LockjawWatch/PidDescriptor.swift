import CLockjawNative
import Glibc
import LockjawInspect
import LockjawModel

/// A process held by descriptor: its number may be reused, this may not.
final class PidDescriptor: Sendable {
  let descriptor: Int32

  /// `nil` where the process is gone or the kernel has no pidfds.
  init?(pid: Int32) {
    let opened = lj_pidfd_open(pid)
    guard opened >= 0 else { return nil }
    descriptor = opened
  }

  /// The process that `identity` names and no other: looked at again once it is held, so that a number that has been
  /// given to somebody else since, or is another's in this pid namespace, is never taken for it.
  convenience init?(_ identity: ProcessIdentity) {
    self.init(pid: identity.pid)
    guard identity.isRunning else { return nil }
  }

  deinit { close(descriptor) }

  func send(_ signal: Int32) -> Bool { lj_pidfd_send_signal(descriptor, signal) == 0 }

  /// A pidfd becomes readable when its process has ended.
  func waitUntilEnded(milliseconds: Int32) -> Bool {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var result = poll(&waiting, 1, milliseconds)
    while result < 0, errno == EINTR { result = poll(&waiting, 1, milliseconds) }
    return result > 0
  }
}

extension ProcessIdentity {
  /// The process of this number is the one that began then, and has not ended.
  var isRunning: Bool { (try? LiveProcess(pid: pid))?.identity == self }
}
