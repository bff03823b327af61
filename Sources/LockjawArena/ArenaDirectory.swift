import Glibc
import LockjawModel

/// The directory in which a user's preloaded processes keep their arenas, chosen as the shim chooses it.
package struct ArenaDirectory: Hashable, Sendable {
  package let path: String

  /// - Parameter path: slashes at its end are dropped: of a symbolic link they would ask for what it points at.
  package init(path: String) {
    var trimmed = Substring(path)
    while trimmed.utf8.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    self.path = String(trimmed)
  }

  /// The directory of an arena's path.
  package static func containing(_ path: String) -> ArenaDirectory {
    ArenaDirectory(path: path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
  }

  /// `$LOCKJAW_DIR`, else `$XDG_RUNTIME_DIR/lockjaw`, else `/dev/shm/lockjaw-UID`.
  package static func standard(userID: UInt32 = getuid()) -> ArenaDirectory {
    if let path = environment("LOCKJAW_DIR") { return ArenaDirectory(path: path) }
    if let path = environment("XDG_RUNTIME_DIR"), path.hasPrefix("/"), path.utf8.count <= longestPath {
      return ArenaDirectory(path: path + "/lockjaw")
    }
    return ArenaDirectory(path: "/dev/shm/lockjaw-\(userID)")
  }

  /// What the shim has room for, in bytes.
  private static let longestPath = 511

  /// Why the shim keeps nothing here, as the end of a sentence; `nil` where it would, or where there is no directory yet.
  ///
  /// Whoever else can write here could swap an arena under its process.
  package var refusal: String? {
    if path.utf8.count > Self.longestPath { return "its path is longer than \(Self.longestPath) bytes" }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno == ENOENT else { return errnoSentence(errno) }
      // The shim makes the directory, and none above it.
      let above = path.lastIndex(of: "/").map { path[...$0] } ?? "."
      return access(String(above), F_OK) == 0 ? nil : "the directory that it would lie in does not exist"
    }
    if status.st_mode & S_IFMT == S_IFLNK { return "it is a symbolic link" }
    if status.st_mode & S_IFMT != S_IFDIR { return "it is not a directory" }
    if status.st_uid != geteuid() { return "it belongs to user \(status.st_uid), not to you" }
    if status.st_mode & 0o022 != 0 { return "others may write into it (chmod go-w it)" }
    return access(path, W_OK | X_OK) == 0 ? nil : errnoSentence(errno)
  }

  private static func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
  }

  /// An arena's file name, which carries the identity of its process.
  package struct Entry: Hashable, Sendable {
    package let path: String
    package let identity: ProcessIdentity
    package let imageNumber: Int
  }

  /// Arena files, newest image of each process last; an absent directory has none.
  package func entries() -> [Entry] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var result: [Entry] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { text($0) }
      if let parsed = Self.parse(name, in: path) { result.append(parsed) }
    }
    return result.sorted {
      ($0.identity.pid, $0.identity.startTicks, $0.imageNumber)
        < ($1.identity.pid, $1.identity.startTicks, $1.imageNumber)
    }
  }

  /// `lockjaw-PID-STARTTICKS-IMAGE.arena`
  package static func parse(_ name: String, in directory: String) -> Entry? {
    guard name.hasPrefix("lockjaw-"), name.hasSuffix(".arena") else { return nil }
    let fields = name.dropFirst(8).dropLast(6).split(separator: "-", omittingEmptySubsequences: false)
    guard fields.count == 3, let pid = Int32(fields[0]), pid > 0, let ticks = UInt64(fields[1]),
      let image = Int(fields[2]), image >= 0
    else { return nil }
    return Entry(
      path: directory + "/" + name, identity: ProcessIdentity(pid: pid, startTicks: ticks), imageNumber: image)
  }
}
