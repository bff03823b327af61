import LockjawModel

/// `struct elf_prstatus` of x86-64 (`linux/elfcore.h`): one thread's registers and why it stopped.
struct CoreThreadStatus: Hashable {
  static let byteCount = 336

  var tid: Int32
  /// The signal the thread was stopped by; 0 for none.
  var signal: Int16
  var registers: Registers
  /// `orig_rax`: number of the system call the thread is in; all ones: in none.
  var callNumber: UInt64

  init(tid: Int32, signal: Int16, registers: Registers, callNumber: UInt64) {
    self.tid = tid
    self.signal = signal
    self.registers = registers
    self.callNumber = callNumber
  }

  private static let tidOffset: UInt64 = 32
  private static let registersOffset: UInt64 = 112

  /// `nil` where the note is shorter than the structure.
  init?(_ bytes: ELFBytes, _ note: CoreNote) {
    guard note.count >= Self.byteCount else { return nil }
    tid = bytes.load(Int32.self, at: note.offset + Self.tidOffset) ?? 0
    signal = bytes.load(Int16.self, at: note.offset + 12) ?? 0
    // `struct user_regs_struct` (`sys/user.h`).
    let at = note.offset + Self.registersOffset
    func register(_ index: UInt64) -> UInt64 { bytes.load(UInt64.self, at: at + 8 * index) ?? 0 }
    var found = Registers()
    (found.r15, found.r14, found.r13, found.r12) = (register(0), register(1), register(2), register(3))
    (found.rbp, found.rbx) = (register(4), register(5))
    (found.r11, found.r10, found.r9, found.r8) = (register(6), register(7), register(8), register(9))
    (found.rax, found.rcx, found.rdx) = (register(10), register(11), register(12))
    (found.rsi, found.rdi) = (register(13), register(14))
    callNumber = register(15)
    (found.rip, found.rsp) = (register(16), register(19))
    found.fsBase = register(21)
    registers = found
  }

  /// The flags and segments a 64-bit user thread has when it sleeps: nobody copies them, and debuggers print them.
  private static let codeSegment: UInt64 = 0x33
  private static let stackSegment: UInt64 = 0x2B
  private static let flags: UInt64 = 0x246

  func encoded(parent: Int32) -> [UInt8] {
    var out = LittleEndianBytes()
    out.append(Int32(signal))
    out.append(UInt64(0))  // code, errno
    out.append(signal)
    out.append(UInt16(0))
    out.append([UInt8](repeating: 0, count: 16))  // pending, blocked signals
    for id in [tid, parent, 0, 0] { out.append(id) }
    out.append([UInt8](repeating: 0, count: 64))  // processor times
    let r = registers
    let general = [
      r.r15, r.r14, r.r13, r.r12, r.rbp, r.rbx, r.r11, r.r10, r.r9, r.r8, r.rax, r.rcx, r.rdx, r.rsi, r.rdi,
    ]
    for value in general { out.append(value) }
    for value in [callNumber, r.rip, Self.codeSegment, Self.flags, r.rsp, Self.stackSegment, r.fsBase] {
      out.append(value)
    }
    out.append([UInt8](repeating: 0, count: 5 * 8))  // gs_base, ds, es, fs, gs
    out.append(UInt64(0))  // no floating-point registers follow
    return out.bytes
  }
}

/// `struct elf_prpsinfo` of x86-64: what the process is called.
struct CoreProcessName: Hashable {
  static let byteCount = 136

  var pid: Int32
  var parent: Int32
  var userID: UInt32
  /// At most 15 bytes.
  var name: String
  /// The first 79 bytes of the command line, joined by spaces.
  var arguments: String

  init(pid: Int32, parent: Int32, userID: UInt32, name: String, arguments: String) {
    self.pid = pid
    self.parent = parent
    self.userID = userID
    self.name = name
    self.arguments = arguments
  }

  init?(_ bytes: ELFBytes, _ note: CoreNote) {
    guard note.count >= Self.byteCount else { return nil }
    userID = bytes.load(UInt32.self, at: note.offset + 16) ?? 0
    pid = bytes.load(Int32.self, at: note.offset + 24) ?? 0
    parent = bytes.load(Int32.self, at: note.offset + 28) ?? 0
    name = bytes.string(at: note.offset + 40, limit: 16)
    var text = bytes.string(at: note.offset + 56, limit: 80)
    while text.last == " " { text.removeLast() }
    arguments = text
  }

  var encoded: [UInt8] {
    var out = LittleEndianBytes()
    out.append([0, UInt8(ascii: "S"), 0, 0])
    out.append([UInt8](repeating: 0, count: 12))  // alignment, flags
    out.append(userID)
    out.append(userID)  // group: not known
    for id in [pid, parent, 0, 0] { out.append(id) }
    out.append(name, field: 16)
    out.append(arguments, field: 80)
    return out.bytes
  }
}

/// NT_FILE: which files were mapped where.
enum CoreMappedFiles {
  /// A core of a process with more mappings than the kernel allows is a damaged one.
  private static let mostEntries: UInt64 = 1 << 20

  /// - Returns: entries as far as they are whole; permissions are not in this note.
  static func decode(_ bytes: ELFBytes, _ note: CoreNote) -> [MemoryMapEntry] {
    guard let count = bytes.load(UInt64.self, at: note.offset), let page = bytes.load(UInt64.self, at: note.offset + 8),
      note.count >= 16, count <= mostEntries, count <= UInt64(note.count - 16) / 24, page > 0, page <= 1 << 30
    else { return [] }
    let end = note.offset + UInt64(note.count)
    var name = note.offset + 16 + count * 24
    var entries = [MemoryMapEntry]()
    for index in 0..<count {
      let at = note.offset + 16 + index * 24
      guard name < end, let start = bytes.load(UInt64.self, at: at), let stop = bytes.load(UInt64.self, at: at + 8),
        let pageOffset = bytes.load(UInt64.self, at: at + 16)
      else { break }
      let path = bytes.string(at: name, limit: Int(end - name))
      // A replaced byte is longer in UTF-8 than in the note, so the length is looked for in the note itself.
      var next = name
      while next < end, bytes.load(UInt8.self, at: next) != 0 { next += 1 }
      name = next + 1
      let (offset, overflow) = pageOffset.multipliedReportingOverflow(by: page)
      guard start < stop, !overflow else { continue }
      entries.append(
        MemoryMapEntry(
          start: start, end: stop, isReadable: true, isWritable: false, isExecutable: false, offset: offset,
          deviceMajor: 0, deviceMinor: 0, inode: 1, path: path))
    }
    return entries
  }

  /// By rising start, without those that begin inside an earlier one: no address belongs to two mappings, and a list that
  /// says so would have its bytes read once for each.
  static func disjoint(_ entries: [MemoryMapEntry]) -> [MemoryMapEntry] {
    var result = [MemoryMapEntry]()
    for entry in entries.sorted(by: { $0.start < $1.start }) where entry.start >= result.last?.end ?? 0 {
      result.append(entry)
    }
    return result
  }

  static func encode(_ entries: [MemoryMapEntry]) -> [UInt8] {
    let page: UInt64 = 4096
    var out = LittleEndianBytes()
    out.append(UInt64(entries.count))
    out.append(page)
    for entry in entries {
      out.append(entry.start)
      out.append(entry.end)
      out.append(entry.offset / page)
    }
    for entry in entries { out.append(Array(entry.path.utf8) + [0]) }
    return out.bytes
  }
}

/// NT_AUXV: what the kernel told the program at its start (getauxval(3)).
struct CoreAuxiliaryVector: Hashable {
  var values: [UInt64: UInt64] = [:]

  static let programHeaders: UInt64 = 3
  static let programHeaderCount: UInt64 = 5
  static let entryPoint: UInt64 = 9
  static let vdso: UInt64 = 33

  init(_ bytes: ELFBytes, _ note: CoreNote) {
    for index in 0..<UInt64(min(note.count / 16, 256)) {
      guard let key = bytes.load(UInt64.self, at: note.offset + index * 16),
        let value = bytes.load(UInt64.self, at: note.offset + index * 16 + 8), key != 0
      else { return }
      values[key] = value
    }
  }

  /// `/proc/PID/auxv`, or the same bytes from anywhere.
  init(_ content: [UInt8]) {
    self.init(values: content)
  }

  private init(values content: [UInt8]) {
    values = content.withUnsafeBytes { raw in
      guard let base = raw.baseAddress else { return [:] }
      let note = CoreNote(owner: "", type: 0, offset: 0, count: raw.count)
      return CoreAuxiliaryVector(ELFBytes(base: base, count: raw.count), note).values
    }
  }
}
