import CLockjawNative
import Glibc
import LockjawModel

/// An ELF file, mapped read-only; every access is bounds-checked, and a file that shrinks meanwhile reads as zeroes.
///
/// Sendable: the mapping is never written through and lives as long as the object, and every stored property is
/// a constant that is computed before `init` returns. Concurrent readers therefore only read.
package final class ELFFile: @unchecked Sendable {
  package let path: String
  /// Lower-case hexadecimal, "" where it has none.
  package let buildID: String
  package let segments: [ELFSegment]
  package let sections: [ELFSection]
  /// Of the file that was opened.
  package let inode: UInt64
  /// ET_EXEC 2, ET_DYN 3.
  package let type: UInt16
  private let base: UnsafeMutableRawPointer
  package let byteCount: Int

  /// - Throws: `system` where the file cannot be opened or mapped, `notAnELFFile` where it is something else or
  ///   damaged.
  package convenience init(path: String) throws(InspectError) {
    // A core or an arena may have named it.
    let fd = lj_open_regular(path)
    if fd == -ENODEV { throw .notAnELFFile(path: path, reason: "it is not a regular file") }
    guard fd >= 0 else { throw .system(call: "open", subject: path, errno: -fd) }
    defer { close(fd) }
    try self.init(descriptor: fd, path: path)
  }

  /// - Parameters:
  ///   - descriptor: stays the caller's; the mapping outlives it.
  ///   - path: for people.
  package init(descriptor fd: Int32, path: String) throws(InspectError) {
    self.path = path
    var status = stat()
    guard fstat(fd, &status) == 0 else { throw .system(call: "fstat", subject: path, errno: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .notAnELFFile(path: path, reason: "it is not a regular file")
    }
    guard status.st_size >= ELFHeader.byteCount else {
      throw .notAnELFFile(path: path, reason: "it is too short for an ELF header")
    }
    inode = UInt64(status.st_ino)
    byteCount = Int(status.st_size)
    guard let mapped = lj_guarded_map_private(fd, byteCount) else {
      throw .system(call: "mmap", subject: path, errno: errno)
    }
    base = mapped
    let bytes = ELFBytes(base: UnsafeRawPointer(mapped), count: byteCount)
    do throws(ELFHeader.Refusal) {
      let header = try ELFHeader(bytes)
      guard header.machine == ELFHeader.machineAMD64 else {
        throw ELFHeader.Refusal(reason: "it is for another processor (machine \(header.machine))")
      }
      guard let sections = header.sections(bytes) else {
        throw ELFHeader.Refusal(reason: "it is damaged: a section lies outside the file")
      }
      type = header.type
      segments = header.segments(bytes)
      self.sections = sections
    } catch {
      lj_guarded_unmap(mapped)
      throw .notAnELFFile(path: path, reason: error.reason)
    }
    var found = ""
    for segment in segments where segment.type == ELFSegment.note && found.isEmpty {
      found = bytes.buildID(inNotesAt: segment.offset, size: segment.fileSize)
    }
    // Separate debug files keep the note as a section only.
    for section in sections where section.type == 7 && found.isEmpty {  // SHT_NOTE
      found = bytes.buildID(inNotesAt: section.offset, size: section.size)
    }
    buildID = found
  }

  deinit { lj_guarded_unmap(base) }

  /// All bytes of the file, for as long as `body` runs.
  package func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    lj_guard_thread()
    return body(UnsafeRawBufferPointer(start: base, count: byteCount))
  }

  /// The symbol table that some distributions leave in a stripped file: an ELF file of its own, packed by xz into
  /// `.gnu_debugdata` (gdb's manual, "MiniDebugInfo"). `nil` where there is none, or it is damaged.
  package func miniDebugInfo() -> ELFFile? {
    guard let section = section(named: ".gnu_debugdata"), section.occupiesFile, !section.isCompressed else {
      return nil
    }
    let unpacked = withBytes { bytes in
      try? UnpackedFile(
        UnsafeRawBufferPointer(rebasing: bytes[Int(section.offset)..<Int(section.offset + section.size)]), of: path)
    }
    guard let unpacked, !unpacked.isCut else { return nil }
    return try? ELFFile(descriptor: unpacked.descriptor, path: "\(path) (.gnu_debugdata)")
  }

  /// Whether the compressed sections claim no more than a compiler's debug information unpacks to: who asks libdw for
  /// them has it all in memory. A few times the file is usual; deflate can do a thousand times.
  package var unpacksReasonably: Bool {
    let most = UInt64(byteCount) * 16 + 64 << 20
    var total: UInt64 = 0
    for section in sections where section.occupiesFile {
      // Elf64_Chdr; before it was defined, GNU tools wrote "ZLIB" and the size, highest byte first, into .zdebug_ sections.
      let claimed: UInt64? = withBytes { bytes in
        guard section.size >= 24, let base = bytes.baseAddress else { return nil }
        let content = ELFBytes(base: base, count: bytes.count)
        if section.isCompressed { return content.load(UInt64.self, at: section.offset + 8) }
        guard section.name.hasPrefix(".zdebug_") else { return nil }
        return content.load(UInt64.self, at: section.offset + 4)?.byteSwapped
      }
      let (sum, overflow) = total.addingReportingOverflow(claimed ?? 0)
      guard !overflow, sum <= most else { return false }
      total = sum
    }
    return true
  }

  package func section(named name: String) -> ELFSection? { sections.first { $0.name == name } }

  /// The bytes of a section up to the first zero: `.gnu_debuglink` and the like begin with a name.
  package func string(at offset: UInt64, limit: Int) -> String {
    lj_guard_thread()
    return ELFBytes(base: UnsafeRawPointer(base), count: byteCount).string(at: offset, limit: limit)
  }

  /// Two digits a byte; "" where the bytes are not all in the file.
  package func hexadecimal(at offset: UInt64, count: Int) -> String {
    withBytes { bytes in
      guard offset <= UInt64(bytes.count), count <= bytes.count - Int(offset) else { return "" }
      return LockjawInspect.hexadecimal(bytes[Int(offset)..<Int(offset) + count])
    }
  }

  /// What to add to an address of this file to get that of the module's memory; `nil` where no segment fits the
  /// mapping, which then came from another file.
  ///
  /// A segment belongs to a mapping when its page is the mapping's file offset: neighbouring segments may share a
  /// page of the file, so that "lies within" would find the wrong one.
  package func loadBias(of module: Module) -> UInt64? {
    LockjawInspect.loadBias(of: module, in: segments)
  }
}

/// See `ELFFile.loadBias(of:)`; for segments read from anywhere.
func loadBias(of module: Module, in segments: [ELFSegment]) -> UInt64? {
  let loads = segments.filter { $0.type == ELFSegment.load }
  let exact = loads.first { $0.isExecutable && $0.offset & ~4095 == module.textOffset }
  if let exact { return module.textStart.rawValue &- (exact.virtualAddress & ~4095) }
  // Mappings may have been split (mprotect, huge pages): then text begins inside its segment.
  let around = loads.first {
    $0.isExecutable && $0.offset & ~4095 <= module.textOffset && module.textOffset - ($0.offset & ~4095) < $0.fileSize
  }
  return around.map {
    module.textStart.rawValue &- (($0.virtualAddress & ~4095) &+ (module.textOffset - ($0.offset & ~4095)))
  }
}
