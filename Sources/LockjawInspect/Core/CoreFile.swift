import CLockjawNative
import Glibc
import LockjawModel

/// An ELF core: the kernel's, gcore's, or one of our own minicores; also packed by zstd or xz.
///
/// Nothing in it is believed: lengths, counts and addresses are checked against the file's end and against the address
/// space, and what does not fit is left out. A truncated core gives what its beginning has, and says so in
/// `diagnostics`.
package final class CoreFile {
  package let path: String
  package let memory: CoreMemory
  /// What the core lacks, in sentences.
  package private(set) var diagnostics: [String] = []
  let segments: [ELFSegment]
  let statuses: [CoreThreadStatus]
  let processName: CoreProcessName?
  let auxiliary: CoreAuxiliaryVector
  /// Files that were mapped, by rising address; none overlaps another.
  let mappedFiles: [MemoryMapEntry]
  /// What only our own minicores have.
  let note: SnapshotNote?
  /// The signal that ended the process; `nil` where it was not ended, or nobody wrote down by what.
  package let signal: Int32?

  /// Those that make the kernel write a core (signal(7)). gcore's cores tell of the SIGSTOP that a debugger stops with.
  private static let endingSignals: Set<Int32> = [
    SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS,
  ]

  /// ET_CORE.
  static let elfType: UInt16 = 4

  /// Whether the file begins as a core does, or as something compressed, of which only a core makes sense here; anything
  /// else is not for this type.
  package static func isCore(path: String) -> Bool {
    if CompressionFormat(path: path) != nil { return true }
    guard let head = ProcFile.head(path, count: 64), head.count >= 18 else { return false }
    return head.starts(with: [0x7F, 0x45, 0x4C, 0x46]) && head[16] == UInt8(elfType) && head[17] == 0
  }

  /// - Throws: `system` where the file cannot be opened or mapped, `notACore` where it is something else, or cut so short
  ///   that not one thread is left, `notUnpacked` where it is compressed and cannot be read.
  package init(path: String) throws(InspectError) {
    self.path = path
    let (mapping, isCut) = try Self.map(path)
    if isCut { diagnostics.append("The compressed file ends in the middle: its beginning was read.") }
    let parsed = mapping.withBytes { raw -> Result<Parsed, ELFHeader.Refusal> in
      guard let base = raw.baseAddress else { return .failure(ELFHeader.Refusal(reason: "it is empty")) }
      do throws(ELFHeader.Refusal) {
        return .success(try Parsed(ELFBytes(base: base, count: raw.count)))
      } catch {
        return .failure(error)
      }
    }
    let content: Parsed
    switch parsed {
    case .success(let found): content = found
    case .failure(let refusal): throw .notACore(path: path, reason: refusal.reason)
    }
    segments = content.segments
    statuses = content.statuses
    processName = content.processName
    auxiliary = content.auxiliary ?? CoreAuxiliaryVector([])
    mappedFiles = CoreMappedFiles.disjoint(content.mappedFiles)
    note = content.note
    let signal = content.signalNumber ?? content.statuses.first.map { Int32($0.signal) }
    self.signal = signal.flatMap { Self.endingSignals.contains($0) ? $0 : nil }
    memory = CoreMemory(segments, mapping)
    note(missing: content, byteCount: mapping.byteCount)
  }

  /// One pass over headers and notes.
  private struct Parsed {
    var segments: [ELFSegment]
    var statuses: [CoreThreadStatus] = []
    var processName: CoreProcessName?
    var auxiliary: CoreAuxiliaryVector?
    var mappedFiles: [MemoryMapEntry] = []
    var signalNumber: Int32?
    var note: SnapshotNote?
    var announced: Int

    init(_ bytes: ELFBytes) throws(ELFHeader.Refusal) {
      let header = try ELFHeader(bytes)
      guard header.type == CoreFile.elfType else {
        throw ELFHeader.Refusal(reason: "it is an ELF file of another kind (type \(header.type))")
      }
      guard header.machine == ELFHeader.machineAMD64 else {
        throw ELFHeader.Refusal(reason: "it is of another processor (machine \(header.machine))")
      }
      segments = header.segments(bytes)
      announced = header.programHeaderCount
      var known: Set<Int32> = []
      for segment in segments where segment.type == ELFSegment.note {
        for note in CoreNote.all(in: bytes, at: segment.offset, size: segment.fileSize) {
          if note.owner == SnapshotNote.owner, note.type == SnapshotNote.type {
            self.note = SnapshotNote(bytes.string(at: note.offset, limit: note.count))
          }
          guard note.owner == CoreNote.kernelOwner else { continue }
          switch note.type {
          case CoreNote.processStatus:
            // The first note of a thread is the one its other notes follow.
            if let status = CoreThreadStatus(bytes, note), known.insert(status.tid).inserted { statuses.append(status) }
          case CoreNote.processInfo: processName = processName ?? CoreProcessName(bytes, note)
          case CoreNote.auxiliaryVector: auxiliary = auxiliary ?? CoreAuxiliaryVector(bytes, note)
          case CoreNote.mappedFiles: if mappedFiles.isEmpty { mappedFiles = CoreMappedFiles.decode(bytes, note) }
          case CoreNote.signalInfo: signalNumber = signalNumber ?? bytes.load(Int32.self, at: note.offset)
          default: break
          }
        }
      }
      guard !statuses.isEmpty else {
        throw ELFHeader.Refusal(
          reason: "it has no thread in it; a core that was cut off near its beginning looks like that")
      }
    }
  }

  /// - Returns: also whether what is there is the beginning of a compressed file only.
  private static func map(_ path: String) throws(InspectError) -> (CoreMapping, isCut: Bool) {
    if CompressionFormat(path: path) != nil {
      let unpacked = try UnpackedFile(path: path)
      // The mapping keeps the file, which has no name.
      return (try map(unpacked.descriptor, path), unpacked.isCut)
    }
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard fd >= 0 else { throw .system(call: "open", subject: path, errno: errno) }
    defer { close(fd) }
    return (try map(fd, path), false)
  }

  private static func map(_ fd: Int32, _ path: String) throws(InspectError) -> CoreMapping {
    var status = stat()
    guard fstat(fd, &status) == 0 else { throw .system(call: "fstat", subject: path, errno: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notACore(path: path, reason: "it is not a regular file") }
    guard status.st_size >= ELFHeader.byteCount else {
      throw .notACore(path: path, reason: "it is too short for an ELF header")
    }
    guard let base = lj_guarded_map(fd, Int(status.st_size), -1) else {
      throw .system(call: "mmap", subject: path, errno: errno)
    }
    return CoreMapping(base: base, byteCount: Int(status.st_size))
  }

  private func note(missing content: Parsed, byteCount: Int) {
    let end = content.segments.reduce(UInt64(0)) { highest, segment in
      let (end, overflow) = segment.offset.addingReportingOverflow(segment.fileSize)
      return overflow || segment.fileSize == 0 ? highest : max(highest, end)
    }
    if end > UInt64(byteCount) || content.segments.count < content.announced {
      diagnostics.append(
        "The core is truncated: it has \(byteCount) of at least \(end) bytes, so some stacks and locks may be missing. A "
          + "limit on core files (ulimit -c) or a full disk does that.")
    }
    if content.mappedFiles.isEmpty {
      diagnostics.append("The core does not list the files that were mapped (NT_FILE), so no function can be named.")
    }
    if content.processName == nil { diagnostics.append("The core does not name its process (NT_PRPSINFO).") }
  }
}
