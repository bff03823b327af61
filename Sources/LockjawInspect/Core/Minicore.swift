import CLockjawNative
import Glibc
import LockjawModel

/// A core that has what a diagnosis needs and no more: threads, the used parts of their stacks, locks, the arena, module
/// headers, the loader's list. Debuggers open it like any other core.
package struct Minicore {
  private let snapshot: Snapshot
  private let process: LiveProcess
  private let map: MemoryMap
  private let memory: ProcessMemory
  private let auxiliary: [UInt8]
  private var pages = PageSet()

  /// Private data of a module, relocated pointers among it: small in most, and who asks which function a frame would
  /// call needs it.
  private static let mostModuleDataBytes: UInt64 = 64 << 10
  private static let mostDataBytes: UInt64 = 2 << 20
  /// `struct pthread` of glibc 2.36 is 2,304 bytes.
  private static let descriptorBytes: UInt64 = 2304
  /// A joined thread's descriptor begins this far before the word that is waited on.
  private static let reachBelowWord: UInt64 = 1024

  /// - Parameters:
  ///   - snapshot: of a process that was stopped here; taken a moment ago.
  ///   - touched: further addresses whose pages a diagnosis has read.
  package init(_ snapshot: Snapshot, of process: LiveProcess, touched: [Address] = []) {
    self.snapshot = snapshot
    self.process = process
    map = snapshot.map ?? MemoryMap(entries: [])
    memory = ProcessMemory(process)
    auxiliary = (try? ProcFile.bytes("\(process.liveDirectory)/auxv", atMost: 1 << 16)) ?? []
    choosePages(touched)
  }

  private mutating func choosePages(_ touched: [Address]) {
    for stack in snapshot.threads.compactMap(\.stack) { pages.insert(stack.base, count: UInt64(stack.bytes.count)) }
    if let vdso = snapshot.vdso { pages.insert(vdso.base, count: UInt64(vdso.bytes.count)) }
    for thread in snapshot.threads {
      if let entry = thread.futexVectorEntry { pages.insert(entry, count: 24) }
      guard let word = thread.sleptOn?.rawValue, word > Self.reachBelowWord else { continue }
      pages.insert(Address(word - Self.reachBelowWord), count: Self.reachBelowWord + 256)
    }
    // A thread's descriptor: its id, its robust list; debuggers' thread library goes from one to the next.
    for thread in snapshot.threads where thread.threadPointer != 0 {
      pages.insert(Address(thread.threadPointer), count: Self.descriptorBytes)
    }
    for address in touched { pages.insert(address, count: 1) }
    for range in LinkMap(CoreAuxiliaryVector(auxiliary), memory: memory).ranges {
      pages.insert(range.address, count: range.count)
    }
    var dataBytes: UInt64 = 0
    for entry in map.entries where entry.isFileOfModule {
      if entry.offset == 0 { pages.insert(Address(entry.start), count: PageSet.pageBytes) }
      let size = entry.end - entry.start
      guard isPrivateData(entry), size <= Self.mostModuleDataBytes, dataBytes + size <= Self.mostDataBytes else {
        continue
      }
      pages.insert(Address(entry.start), count: size)
      dataBytes += size
    }
  }

  /// Writable, or read-only since relocation: neither is what the file says.
  private func isPrivateData(_ entry: MemoryMapEntry) -> Bool {
    guard !entry.isExecutable, entry.offset != 0,
      let end = map.entry(containing: entry.end) ?? map.entry(containing: entry.start)
    else { return false }
    return entry.isWritable || (end.isWritable && end.path == entry.path)
  }

  // MARK: writing

  /// A part of the address space in the file.
  private struct Load {
    var start: UInt64
    /// What was mapped, up to the next part; more than `bytes` where debuggers shall look into the module's file.
    var memorySize: UInt64
    var flags: UInt32
    var content: Content
    enum Content {
      /// Offset in the copied pages, and how many bytes there are.
      case copied(offset: Int, count: Int)
      /// Read from the arena's file.
      case arena(offset: UInt64, count: Int)
    }
    /// Where it begins in the file, a multiple of `alignment`, as its address is.
    var offset: UInt64 = 0
    var alignment: UInt64 {
      if case .arena = content { UInt64(ArenaPages.lineBytes) } else { PageSet.pageBytes }
    }
    var fileSize: UInt64 {
      switch content {
      case .copied(_, let count), .arena(_, let count): UInt64(count)
      }
    }
  }

  /// Writes the file aside and renames it, so that a name never shows half a core. It is not forced to the disk: after a
  /// power failure there is no process to explain either.
  /// - Parameter isCompressed: as a zstd stream of the core.
  /// - Returns: the file's size.
  /// - Throws: `system` where it cannot be written; nothing is left behind then.
  package func write(to path: String, isCompressed: Bool = false) throws(InspectError) -> Int {
    let arena = ArenaPages(map, process)
    var (copies, loads) = layOut(arena)
    let notes = notes()
    // Numbers that do not fit 16 bits go into a section header (gABI, "ELF Header").
    let segmentCount = loads.count + 1
    let headerBytes = ELFHeader.byteCount + segmentCount * ELFHeader.programHeaderBytes + ELFHeader.sectionHeaderBytes
    var end = UInt64(headerBytes + notes.count)
    for index in loads.indices {
      let mask = loads[index].alignment - 1
      loads[index].offset = (end + mask) & ~mask
      end = loads[index].offset + loads[index].fileSize
    }

    var out = LittleEndianBytes()
    appendHeader(segmentCount, to: &out)
    let noteOffset = UInt64(headerBytes)
    appendSegment(
      type: ELFSegment.note, flags: 4, offset: noteOffset, address: 0, fileSize: UInt64(notes.count), memorySize: 0,
      alignment: 4, to: &out)
    for load in loads {
      appendSegment(
        type: ELFSegment.load, flags: load.flags, offset: load.offset, address: load.start, fileSize: load.fileSize,
        memorySize: load.memorySize, alignment: load.alignment, to: &out)
    }
    appendSectionHeader(segmentCount, to: &out)
    out.append(notes)

    // The last part that has bytes ends the file.
    let length = loads.last { $0.fileSize > 0 }.map { $0.offset + $0.fileSize } ?? UInt64(out.bytes.count)
    let file = try PartialFile(path, packedFrom: isCompressed ? length : nil)
    try file.append(out.bytes)
    for load in loads where load.fileSize > 0 {
      try file.skip(to: load.offset)
      switch load.content {
      case .copied(let at, let count):
        try copies.withBytes { bytes throws(InspectError) in try file.append(bytes[at..<at + count]) }
      case .arena(let at, let count): try file.append(arena?.bytes(at: at, count: count) ?? [])
      }
    }
    return try file.finish()
  }

  private func layOut(_ arena: ArenaPages?) -> (PageCopies, [Load]) {
    let sorted = pages.sorted
    var runs: [(entry: MemoryMapEntry, run: Range<UInt64>?)] = []
    for entry in map.entries where entry.isReadable || entry.isExecutable {
      if let arena, entry.path == arena.path { continue }
      let own = pages.runs(in: entry, sorted: sorted)
      if own.first?.lowerBound != entry.start, entry.isFileOfModule, entry.isExecutable { runs.append((entry, nil)) }
      for run in own { runs.append((entry, run)) }
    }
    let copies = PageCopies(
      runs.compactMap(\.run), from: memory.task, overlay: snapshot.words + snapshot.threads.compactMap(\.stack))
    var loads: [Load] = []
    var index = 0
    for (position, item) in runs.enumerated() {
      let start = item.run?.lowerBound ?? item.entry.start
      let next = position + 1 < runs.count ? runs[position + 1] : nil
      let reach = next.flatMap { $0.entry.start == item.entry.start ? $0.run?.lowerBound : nil } ?? item.entry.end
      var content = Load.Content.copied(offset: 0, count: 0)
      if item.run != nil {
        content = .copied(offset: copies.offsets[index], count: copies.counts[index])
        index += 1
      }
      let size = item.run.map { $0.upperBound - $0.lowerBound } ?? 0
      loads.append(
        Load(
          start: start, memorySize: item.entry.isFileOfModule ? reach - start : size, flags: item.entry.flags,
          content: content))
    }
    for piece in arena?.pieces ?? [] {
      loads.append(
        Load(
          start: piece.address, memorySize: UInt64(piece.count), flags: 6,
          content: .arena(offset: piece.offset, count: piece.count)))
    }
    return (copies, loads.sorted { $0.start < $1.start })
  }

  // MARK: headers and notes

  private func appendHeader(_ segmentCount: Int, to out: inout LittleEndianBytes) {
    out.append([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8))
    out.append(CoreFile.elfType)
    out.append(ELFHeader.machineAMD64)
    out.append(UInt32(1))
    out.append(UInt64(0))
    out.append(UInt64(ELFHeader.byteCount))
    out.append(UInt64(ELFHeader.byteCount + segmentCount * ELFHeader.programHeaderBytes))
    out.append(UInt32(0))
    out.append(UInt16(ELFHeader.byteCount))
    out.append(UInt16(ELFHeader.programHeaderBytes))
    out.append(segmentCount < 0xFFFF ? UInt16(segmentCount) : 0xFFFF)
    out.append(UInt16(ELFHeader.sectionHeaderBytes))
    out.append(UInt16(1))
    out.append(UInt16(0))
  }

  private func appendSegment(
    type: UInt32, flags: UInt32, offset: UInt64, address: UInt64, fileSize: UInt64, memorySize: UInt64,
    alignment: UInt64, to out: inout LittleEndianBytes
  ) {
    out.append(type)
    out.append(flags)
    for value in [offset, address, 0, fileSize, memorySize, alignment] { out.append(value) }
  }

  /// The first, which describes no section: `sh_info` has the number of segments.
  private func appendSectionHeader(_ segmentCount: Int, to out: inout LittleEndianBytes) {
    out.append([UInt8](repeating: 0, count: 32))
    out.append(UInt64(1))  // sh_size: number of sections
    out.append(UInt32(0))
    out.append(UInt32(segmentCount))
    out.append([UInt8](repeating: 0, count: 16))
  }

  /// In the kernel's order: a thread's status, then what belongs to the process, then the other threads. The main thread
  /// goes first, since readers take the first for the process.
  private func notes() -> [UInt8] {
    let outline = snapshot.process
    let pid = outline.identity.pid
    let stopped = snapshot.threads.filter { $0.registers != nil }
    let ordered = stopped.filter { $0.tid.rawValue == pid } + stopped.filter { $0.tid.rawValue != pid }
    let statuses = ordered.map { thread in
      CoreThreadStatus(
        tid: thread.tid.rawValue, signal: 0, registers: thread.registers ?? Registers(), callNumber: thread.callNumber)
    }
    let name = CoreProcessName(
      pid: pid, parent: outline.parent, userID: outline.userID, name: outline.name, arguments: outline.command)
    var content: [UInt8] = []
    func add(_ type: UInt32, _ bytes: [UInt8], owner: String = CoreNote.kernelOwner) {
      content += CoreNote.encoded(owner: owner, type: type, content: bytes)
    }
    if let first = statuses.first { add(CoreNote.processStatus, first.encoded(parent: outline.parent)) }
    add(CoreNote.processInfo, name.encoded)
    if !auxiliary.isEmpty { add(CoreNote.auxiliaryVector, auxiliary) }
    add(CoreNote.mappedFiles, CoreMappedFiles.encode(map.entries.filter { $0.path.hasPrefix("/") }))
    for status in statuses.dropFirst() { add(CoreNote.processStatus, status.encoded(parent: outline.parent)) }
    add(SnapshotNote.type, Array(SnapshotNote(snapshot).text.utf8), owner: SnapshotNote.owner)
    return content
  }
}

extension MemoryMapEntry {
  fileprivate var flags: UInt32 { (isReadable ? 4 : 0) | (isWritable ? 2 : 0) | (isExecutable ? 1 : 0) }
  /// Whether a loader may have mapped it: a regular file, not a device and not an arena.
  fileprivate var isFileOfModule: Bool {
    inode != 0 && path.hasPrefix("/") && !path.hasPrefix("/dev/") && !path.hasSuffix(".arena")
  }
}

extension SnapshotNote {
  init(_ snapshot: Snapshot) {
    self.init(
      outline: snapshot.process, takenNanoseconds: snapshot.takenAt.nanoseconds,
      threads: snapshot.threads.map { thread in
        (
          thread.tid.rawValue,
          Thread(name: thread.name, sleptNanoseconds: thread.sleptNanoseconds, missing: thread.missing)
        )
      }, descriptors: snapshot.descriptors)
  }
}
