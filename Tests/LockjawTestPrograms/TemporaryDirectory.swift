import Glibc

/// A directory that is removed, with all that is in it, when the last reference goes away.
package final class TemporaryDirectory: Sendable {
  package let path: String

  /// - Parameter parent: where arenas belong, for one of these.
  package init(in parent: String = "/tmp") throws {
    var template = Array("\(parent)/lockjaw-test-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw CommandFailure(description: "mkdtemp failed: \(errno)") }
    path = String(cString: made)
  }

  deinit { _ = try? Command.run(["rm", "-rf", path]) }
}
