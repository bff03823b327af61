/// The variable that keeps a lock taken until it goes out of scope: `config` of `let config = lock.read()`.
///
/// From debug information, for a hold that is known without it.
package struct GuardVariable: Hashable, Sendable {
  package var name: String
  /// Where it is declared.
  package var file: String?
  package var line: Int?
  package init(name: String, file: String?, line: Int?) {
    self.name = name
    self.file = file
    self.line = line
  }

  /// Without its directories.
  package var fileName: String? { file?.split(separator: "/").last.map { String($0) } }
}
