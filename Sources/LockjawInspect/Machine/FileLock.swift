/// One line of `/proc/locks` (proc_locks(5)), or of a descriptor's `fdinfo`: a lock on a file, or a wait for one.
package struct FileLock: Hashable, Sendable {
  package enum Family: String, Hashable, Sendable {
    /// flock(2): belongs to the open file, which processes share after a fork.
    case flock = "FLOCK"
    /// fcntl(2) F_SETLK: belongs to one process.
    case process = "POSIX"
    /// fcntl(2) F_OFD_SETLK: belongs to the open file, as flock's.
    case openFile = "OFDLCK"
  }

  package var family: Family
  package var isExclusive: Bool
  /// Who asked for it, in the reader's pid namespace; `nil` where the kernel does not say (OFD locks, other namespaces).
  package var pid: Int32?
  /// Device and inode as the kernel writes them, `fe:00:5441208`: equal texts mean one file.
  package var file: String
  /// First and last byte.
  package var range: ClosedRange<UInt64>
  /// Not granted: somebody waits for it.
  package var isWaiting: Bool

  package init(
    family: Family, isExclusive: Bool, pid: Int32?, file: String, range: ClosedRange<UInt64>, isWaiting: Bool
  ) {
    self.family = family
    self.isExclusive = isExclusive
    self.pid = pid
    self.file = file
    self.range = range
    self.isWaiting = isWaiting
  }

  package var inode: UInt64? { file.split(separator: ":").last.flatMap { UInt64($0) } }

  /// Whether this lock, granted, keeps `request` waiting. flock's and fcntl's do not see each other (flock(2)).
  package func isInTheWay(of request: FileLock) -> Bool {
    guard !isWaiting, file == request.file, isExclusive || request.isExclusive else { return false }
    return (family == .flock) == (request.family == .flock) && range.overlaps(request.range)
  }

  /// Every lock of the machine that the kernel shows; empty where it shows none.
  package static func all() -> [FileLock] {
    ((try? ProcFile.bytes("/proc/locks", atMost: 16 << 20)) ?? []).split(separator: 0x0A).compactMap {
      FileLock(String(decoding: $0, as: UTF8.self))
    }
  }

  /// `4: -> POSIX  ADVISORY  WRITE 8532 fe:00:16225872 12 14`, with `lock:` before it in `fdinfo`. Leases and what is
  /// not understood are `nil`.
  package init?(_ line: String) {
    var fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" })[...]
    if fields.first == "lock:" { fields = fields.dropFirst() }
    guard fields.popFirst()?.hasSuffix(":") ?? false else { return nil }
    isWaiting = fields.first == "->"
    if isWaiting { fields = fields.dropFirst() }
    guard fields.count == 7, let family = fields.popFirst().flatMap({ Family(rawValue: String($0)) }) else {
      return nil
    }
    let words = Array(fields.dropFirst())
    guard let start = UInt64(words[3]), words[2].split(separator: ":").count == 3 else { return nil }
    let end = words[4] == "EOF" ? UInt64.max : UInt64(words[4])
    guard let end, start <= end else { return nil }
    self.family = family
    isExclusive = words[0] == "WRITE"
    pid = Int32(words[1]).flatMap { $0 > 0 ? $0 : nil }
    file = String(words[2])
    range = start...end
  }
}
