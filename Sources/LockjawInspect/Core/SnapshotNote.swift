/// What a minicore keeps that no note of the kernel has a place for: thread names, how long each thread had slept, what
/// its descriptors were. Lines of text, fields separated by tabs, so that `readelf -p` and `strings` show it.
///
/// ```
/// lockjaw.snapshot/1
/// process  PID STARTTICKS PARENT UID
/// taken    NANOSECONDS                    CLOCK_MONOTONIC
/// started  SECONDS                        since 1970
/// stopped                                 it was stopped by a signal
/// name | executable | command  TEXT
/// thread   TID SLEPT-NANOSECONDS|- NAME
/// missing  TID SENTENCE                   a thread that could not be stopped
/// fd       NUMBER TARGET
/// ```
///
/// Lines with another first word are skipped, so that later versions may add some.
struct SnapshotNote: Hashable {
  static let owner = "LOCKJAW"
  static let type: UInt32 = 1
  private static let firstLine = "lockjaw.snapshot/1"

  struct Thread: Hashable {
    var name: String
    var sleptNanoseconds: UInt64?
    var missing: String?
  }

  var outline: ProcessOutline
  var takenNanoseconds: UInt64
  /// In the order of the snapshot.
  var threadIDs: [Int32]
  var threads: [Int32: Thread]
  var descriptors: [Int32: String]

  init(
    outline: ProcessOutline, takenNanoseconds: UInt64, threads: [(Int32, Thread)], descriptors: [Int32: String]
  ) {
    self.outline = outline
    self.takenNanoseconds = takenNanoseconds
    threadIDs = threads.map(\.0)
    self.threads = Dictionary(threads, uniquingKeysWith: { first, _ in first })
    self.descriptors = descriptors
  }

  /// `nil` where the text is of another format. Lines that are damaged are left out.
  init?(_ text: String) {
    var lines = text.split(separator: "\n").makeIterator()
    guard lines.next() == Self.firstLine[...] else { return nil }
    var outline = ProcessOutline(pid: 0)
    var taken: UInt64 = 0
    var threads: [(Int32, Thread)] = []
    var missing: [Int32: String] = [:]
    var descriptors: [Int32: String] = [:]
    while let line = lines.next() {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map { Self.unescaped($0) }
      switch (fields[0], fields.count) {
      case ("process", 5...):
        guard let pid = Int32(fields[1]), let start = UInt64(fields[2]), let user = UInt32(fields[4]) else { continue }
        (outline.identity.pid, outline.identity.startTicks, outline.userID) = (pid, start, user)
        outline.parent = Int32(fields[3]) ?? 0
      case ("taken", 2...): taken = UInt64(fields[1]) ?? 0
      case ("stopped", _): outline.isStopped = true
      case ("started", 2...): outline.startedUnixSeconds = Double(fields[1])
      case ("name", 2...): outline.name = fields[1]
      case ("executable", 2...): outline.executable = fields[1]
      case ("command", 2...): outline.command = fields[1]
      case ("thread", 4...):
        guard let tid = Int32(fields[1]) else { continue }
        threads.append((tid, Thread(name: fields[3], sleptNanoseconds: UInt64(fields[2]))))
      case ("missing", 3...): if let tid = Int32(fields[1]) { missing[tid] = fields[2] }
      case ("fd", 3...): if let number = Int32(fields[1]) { descriptors[number] = fields[2] }
      default: continue
      }
    }
    for index in threads.indices { threads[index].1.missing = missing[threads[index].0] }
    self.init(outline: outline, takenNanoseconds: taken, threads: threads, descriptors: descriptors)
  }

  var text: String {
    var lines = [Self.firstLine]
    func add(_ fields: String...) { lines.append(fields.map(Self.escaped).joined(separator: "\t")) }
    let identity = outline.identity
    add("process", "\(identity.pid)", "\(identity.startTicks)", "\(outline.parent)", "\(outline.userID)")
    add("taken", "\(takenNanoseconds)")
    if let started = outline.startedUnixSeconds { add("started", "\(started)") }
    if outline.isStopped { add("stopped") }
    add("name", outline.name)
    add("executable", outline.executable)
    add("command", outline.command)
    for tid in threadIDs {
      guard let thread = threads[tid] else { continue }
      add("thread", "\(tid)", thread.sleptNanoseconds.map { "\($0)" } ?? "-", thread.name)
      if let missing = thread.missing { add("missing", "\(tid)", missing) }
    }
    for (number, target) in descriptors.sorted(by: { $0.key < $1.key }) { add("fd", "\(number)", target) }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A name may hold anything but a zero: tabs and line ends become `%09` and `%0A`, the percent sign `%25`.
  private static func escaped(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == 0x09 || $0 == 0x0A || $0 == 0x25 || $0 == 0 }) else { return text }
    var bytes = [UInt8]()
    for byte in text.utf8 {
      switch byte {
      case 0: continue
      case 0x09: bytes += Array("%09".utf8)
      case 0x0A: bytes += Array("%0A".utf8)
      case 0x25: bytes += Array("%25".utf8)
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func unescaped(_ text: Substring) -> String {
    guard text.utf8.contains(0x25) else { return String(text) }
    var bytes = [UInt8]()
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      if byte == 0x25, digits.count == 2, let value = UInt8(digits, radix: 16) {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
