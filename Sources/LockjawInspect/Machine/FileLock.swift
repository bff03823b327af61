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

  /// Whether this lock, granted, keeps `request` waiting. flock's and fcntl's do not see each other (flock(2)), and what
  /// a process itself has by F_SETLK is never in its way.
  package func isInTheWay(of request: FileLock) -> Bool {
    guard !isWaiting, file == request.file, isExclusive || request.isExclusive else { return false }
    if family == .process, request.family == .process, let pid, pid == request.pid { return false }
    return (family == .flock) == (request.family == .flock) && range.overlaps(request.range)
  }

  /// The request of a thread that process `pid` has asleep on the file numbered `inode`; `nil` where it cannot be told
  /// from others.
  ///
  /// The kernel's list has no thread ids, and of requests for an open file's locks no process either. So all that may
  /// be the one must be the same request, else the wrong one could be picked, and its holders with it.
  /// - Parameter inode: as `fdinfo` shows it, which is the number in the list; `nil` before Linux 5.14. Then a process that
  ///   waits for one file only is taken to wait for that.
  static func request(of pid: Int32, _ family: Family, inode: UInt64?, among locks: [FileLock]) -> FileLock? {
    let possible = locks.filter { lock in
      guard lock.isWaiting, lock.family == family else { return false }
      guard let inode else { return lock.pid == pid }
      return lock.inode == inode && (lock.pid == pid || lock.pid == nil)
    }
    guard let first = possible.first else { return nil }
    if inode == nil { return possible.count == 1 ? first : nil }
    let isOne = possible.allSatisfy {
      $0.file == first.file && $0.range == first.range && $0.isExclusive == first.isExclusive
    }
    return isOne ? first : nil
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
