import CLockjawNative
import Glibc

/// A process held by descriptor: its number may be reused, this may not.
final class PidDescriptor: Sendable {
  let descriptor: Int32

  /// `nil` where the process is gone or the kernel has no pidfds.
  init?(pid: Int32) {
    let opened = lj_pidfd_open(pid)
    guard opened >= 0 else { return nil }
    descriptor = opened
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
