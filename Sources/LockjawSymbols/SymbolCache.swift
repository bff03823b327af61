import Glibc
import LockjawInspect
import LockjawModel

/// Names of addresses, kept on disk by build-id, so that the second report of a program opens no debug information.
///
/// A file a build and the files it was named from, so that debug symbols installed later are not missed, and a file that
/// only claims another's build-id does not speak for it:
///
/// ```
/// lockjaw.symbols/1  KEY
/// OFFSET  INLINED  LINE|-  FILE  FUNCTION      one a frame, innermost first; the frames of an address follow one another
/// end  FRAMES  CHECKSUM                        FNV-1a over the lines before
/// ```
///
/// Files are written aside and renamed: a reader sees a whole one, old or new. Of two writers the later one wins, and the
/// other's names are found again. What is damaged is not believed, and written anew. What killed writers have left, and what
/// nobody has written to for long, is removed now and then.
package struct SymbolCache: Sendable {
  private let directory: String
  private static let mostBytes = 32 << 20
  private static let format = "lockjaw.symbols/1"

  package init(directory: String) { self.directory = directory }

  /// `$LOCKJAW_CACHE` (empty: none), else below the user's cache directory; `nil` where there is none.
  package static var standard: SymbolCache? {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    if let own = variable("LOCKJAW_CACHE") { return own.isEmpty ? nil : SymbolCache(directory: own) }
    if let cache = variable("XDG_CACHE_HOME"), !cache.isEmpty { return SymbolCache(directory: cache + "/lockjaw") }
    return variable("HOME").flatMap { $0.isEmpty ? nil : SymbolCache(directory: $0 + "/.cache/lockjaw") }
  }

  /// Frames by address of the file. Module, offset and what is plumbing are not kept: the reader knows them.
  typealias Names = [UInt64: [Frame]]

  func names(_ key: String) -> Names {
    guard let content = read(path(key)), let body = Self.checked(content, key) else { return [:] }
    var names: Names = [:]
    for line in body.split(separator: "\n") {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      guard fields.count == 5, let offset = UInt64(fields[0], radix: 16) else { continue }
      names[offset, default: []].append(
        Frame(
          function: fields[4].isEmpty ? nil : String(fields[4]), file: fields[3].isEmpty ? nil : String(fields[3]),
          line: Int(fields[2]), module: "", offset: offset, isInlined: fields[1] == "1"))
    }
    return names
  }

  /// Adds to what is there. Failures cost the next report some time, and nothing else.
  func store(_ key: String, _ names: Names) {
    let all = self.names(key).merging(names) { _, new in new }
    var body = ""
    var count = 0
    for (offset, frames) in all.sorted(by: { $0.key < $1.key }) {
      // A name with a line end would be read as another frame: such an address is looked up each time.
      guard frames.allSatisfy({ Self.isPlain($0.function) && Self.isPlain($0.file) }) else { continue }
      for frame in frames {
        body += String(offset, radix: 16) + (frame.isInlined ? "\t1\t" : "\t0\t")
        body += (frame.line.map(String.init) ?? "-") + "\t" + (frame.file ?? "") + "\t" + (frame.function ?? "") + "\n"
        count += 1
      }
    }
    guard body.utf8.count < Self.mostBytes, ownsDirectory() else { return }
    if access(path(key), F_OK) != 0 { sweep() }
    write("\(Self.format)\t\(key)\n\(body)end\t\(count)\t\(Self.checksum(body))\n", to: path(key))
  }

  private func path(_ key: String) -> String { "\(directory)/\(key).symbols" }

  private static func isPlain(_ text: String?) -> Bool {
    !(text ?? "").utf8.contains { $0 == 0x09 || $0 == 0x0A || $0 == 0 }
  }

  /// The lines between the first and the last, where both are as they should be.
  private static func checked(_ content: String, _ key: String) -> Substring? {
    let head = "\(format)\t\(key)\n"
    guard content.hasPrefix(head), content.hasSuffix("\n") else { return nil }
    let rest = content.dropFirst(head.count).dropLast()
    let last = rest.lastIndex(of: "\n").map { rest.index(after: $0) } ?? rest.startIndex
    let body = rest[..<last]
    let count = body.utf8.count { $0 == 0x0A }
    return rest[last...] == "end\t\(count)\t\(checksum(body))" ? body : nil
  }

  /// Fowler, Noll and Vo's hash of 64 bits: it is there to notice accidents.
  private static func checksum(_ text: some StringProtocol) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return String(hash, radix: 16)
  }

  // MARK: files

  private func read(_ path: String) -> String? {
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
      status.st_size > 0, status.st_size <= Self.mostBytes
    else { return nil }
    let size = Int(status.st_size)
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size, let base = buffer.baseAddress {
        let got = Glibc.read(fd, base + count, size - count)
        guard got > 0 else { return }
        count += got
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Made where it is not there; another user's, or one that others may write, is left alone.
  private func ownsDirectory() -> Bool {
    if let slash = directory.lastIndex(of: "/"), slash > directory.startIndex {
      mkdir(String(directory[..<slash]), 0o700)
    }
    mkdir(directory, 0o700)
    var status = stat()
    return lstat(directory, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid()
      && status.st_mode & 0o022 == 0
  }

  private func write(_ content: String, to path: String) {
    // A name nobody else has: two writers of one process, or an earlier one's with the same pid, would meet otherwise.
    var template = Array("\(path)\(Self.asideMark)XXXXXX".utf8CString)
    let fd = mkstemp(&template)
    guard fd >= 0 else { return }
    _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
    let aside = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var content = content
    let isWritten = content.withUTF8 { bytes in
      var done = 0
      while done < bytes.count, let base = bytes.baseAddress {
        let count = Glibc.write(fd, base + done, bytes.count - done)
        guard count > 0 else { return false }
        done += count
      }
      return true
    }
    close(fd)
    if !isWritten || rename(aside, path) != 0 { unlink(aside) }
  }

  // MARK: upkeep

  private static let asideMark = ".aside-"
  private static let asideSeconds = 3600
  private static let unusedSeconds = 90 * 86400

  /// Costs a look at each file of the directory, so it is done when a build is seen for the first time.
  func sweep() {
    guard let stream = opendir(directory) else { return }
    defer { closedir(stream) }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      let isAside = name.contains(".symbols" + Self.asideMark)
      guard isAside || name.hasSuffix(".symbols") else { continue }
      var status = stat()
      guard fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG else {
        continue
      }
      let age = now.tv_sec - status.st_mtim.tv_sec
      if age > (isAside ? Self.asideSeconds : Self.unusedSeconds) { unlinkat(dirfd(stream), name, 0) }
    }
  }
}
