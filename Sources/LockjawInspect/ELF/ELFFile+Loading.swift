/// What the loader asks a file that it is to load.
extension ELFFile {
  /// A shared object or a position-independent program (ET_DYN).
  package var isSharedObject: Bool { type == 3 }

  /// Whether the file has all the bytes that its segments name; one that was cut is refused by the loader.
  package var hasEverySegment: Bool {
    segments.allSatisfy {
      $0.type != ELFSegment.load || ($0.fileSize <= byteCount && $0.offset <= UInt64(byteCount) - $0.fileSize)
    }
  }

  /// The name it is to be known by to who links it (DT_SONAME), "" where it has none.
  package var sharedObjectName: String {
    guard let dynamic = segments.first(where: { $0.type == ELFSegment.dynamic }) else { return "" }
    return withBytes { raw -> String in
      guard let base = raw.baseAddress else { return "" }
      let bytes = ELFBytes(base: base, count: raw.count)
      var name: UInt64?
      var strings: UInt64?
      // As many as lie in the file, whatever the segment says its size is.
      for entry in 0..<min(dynamic.fileSize, UInt64(raw.count)) / 16 {
        let (at, isOverflow) = dynamic.offset.addingReportingOverflow(entry * 16)
        guard !isOverflow, let tag = bytes.load(UInt64.self, at: at), let value = bytes.load(UInt64.self, at: at + 8),
          tag != 0
        else { break }
        switch tag {
        case 5: strings = value  // DT_STRTAB
        case 14: name = value  // DT_SONAME
        default: break
        }
      }
      guard let name, let table = strings.flatMap(fileOffset(ofVirtualAddress:)) else { return "" }
      let (at, isOverflow) = table.addingReportingOverflow(name)
      return isOverflow ? "" : bytes.string(at: at, limit: 256)
    }
  }

  private func fileOffset(ofVirtualAddress address: UInt64) -> UInt64? {
    segments.first {
      $0.type == ELFSegment.load && address >= $0.virtualAddress && address - $0.virtualAddress < $0.fileSize
    }.flatMap { segment in
      let (offset, isOverflow) = segment.offset.addingReportingOverflow(address - segment.virtualAddress)
      return isOverflow ? nil : offset
    }
  }
}
