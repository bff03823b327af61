import LockjawModel

/// One line of `/proc/PID/maps` (proc_pid_maps(5)).
struct MemoryMapEntry: Hashable {
  var start: UInt64
  var end: UInt64
  var isReadable: Bool
  var isWritable: Bool
  var isExecutable: Bool
  /// Writes go to the file or to shared memory, and are seen by every process that maps it.
  var isShared = false
  var offset: UInt64
  var deviceMajor: UInt32
  var deviceMinor: UInt32
  var inode: UInt64
  /// As the kernel writes it: "" for anonymous memory, "[stack]" and the like, " (deleted)" at the end of a file
  /// that has no name any more.
  var path: String
}

/// All mappings of a process, by rising address.
struct MemoryMap: Hashable {
  var entries: [MemoryMapEntry]

  init(entries: [MemoryMapEntry]) { self.entries = entries }

  /// Lines that are not understood are left out. The kernel makes the list a page at a time, so a mapping that changes
  /// meanwhile may be missing or old; within one page it is of one moment.
  init(_ content: [UInt8]) {
    entries = []
    for line in content.split(separator: 0x0A) {
      if let entry = Self.entry(line) { entries.append(entry) }
    }
  }

  /// The mapping `address` lies in.
  func entry(containing address: UInt64) -> MemoryMapEntry? {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    guard low < entries.count, entries[low].start <= address else { return nil }
    return entries[low]
  }

  /// `start-end perms offset major:minor inode   path`
  private static func entry(_ line: ArraySlice<UInt8>) -> MemoryMapEntry? {
    var cursor = Cursor(rest: line)
    guard let start = cursor.number(radix: 16), cursor.skip(0x2D),
      let end = cursor.number(radix: 16), cursor.skip(0x20), start < end
    else { return nil }
    let rights = cursor.rest.prefix(4)
    guard rights.count == 4 else { return nil }
    cursor.rest = cursor.rest.dropFirst(4)
    guard cursor.skip(0x20), let offset = cursor.number(radix: 16), cursor.skip(0x20),
      let major = cursor.number(radix: 16), cursor.skip(0x3A),
      let minor = cursor.number(radix: 16), cursor.skip(0x20),
      let inode = cursor.number(radix: 10)
    else { return nil }
    let path = cursor.rest.drop(while: { $0 == 0x20 })
    let at = rights.startIndex
    return MemoryMapEntry(
      start: start, end: end, isReadable: rights[at] == 0x72, isWritable: rights[at + 1] == 0x77,
      isExecutable: rights[at + 2] == 0x78, isShared: rights[at + 3] == 0x73, offset: offset,
      deviceMajor: UInt32(truncatingIfNeeded: major),
      deviceMinor: UInt32(truncatingIfNeeded: minor), inode: inode, path: unescaped(path))
  }

  /// The kernel writes a newline in a name as `\012` and nothing else (seq_path with "\n").
  private static func unescaped(_ path: ArraySlice<UInt8>) -> String {
    let text = String(decoding: path, as: UTF8.self)
    guard path.contains(0x5C) else { return text }
    return text.split(separator: "\\012", omittingEmptySubsequences: false).joined(separator: "\n")
  }

  /// Reads on from where it stands; what cannot be read leaves it there. Bytes and not Strings: a process with a
  /// thousand threads has two thousand lines.
  private struct Cursor {
    var rest: ArraySlice<UInt8>

    mutating func skip(_ byte: UInt8) -> Bool {
      guard rest.first == byte else { return false }
      rest = rest.dropFirst()
      return true
    }

    mutating func number(radix: UInt64) -> UInt64? {
      var value: UInt64 = 0
      var index = rest.startIndex
      while index < rest.endIndex {
        let byte = rest[index]
        let digit: UInt64
        switch byte {
        case 0x30...0x39: digit = UInt64(byte - 0x30)
        case 0x61...0x66 where radix == 16: digit = UInt64(byte - 0x61 + 10)
        default:
          guard index > rest.startIndex else { return nil }
          rest = rest[index...]
          return value
        }
        let (scaled, overflow) = value.multipliedReportingOverflow(by: radix)
        guard !overflow else { return nil }
        value = scaled &+ digit
        index += 1
      }
      guard index > rest.startIndex else { return nil }
      rest = rest[index...]
      return value
    }
  }
}
