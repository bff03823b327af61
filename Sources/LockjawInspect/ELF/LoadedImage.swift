import LockjawModel

/// An ELF file as the loader left it in memory: what can be told when the file itself cannot be had.
package struct LoadedImage: Sendable {
  package let segments: [ELFSegment]
  package let buildID: String
  /// Address of the header minus what the file says it is: the load bias.
  package let bias: UInt64

  /// Reads the header at `start`, the lowest mapped address of the file. `nil` where there is none.
  package init?(at start: Address, memory: any MemoryReader) {
    // Header and program headers lie in the first page of every file linkers make.
    guard var head = memory.bytes(at: start, count: 4096) ?? memory.bytes(at: start, count: 1024) else { return nil }
    let parsed = head.withUnsafeBytes { raw -> (ELFHeader, [ELFSegment])? in
      guard let base = raw.baseAddress else { return nil }
      let bytes = ELFBytes(base: base, count: raw.count)
      guard let header = try? ELFHeader(bytes), header.machine == ELFHeader.machineAMD64 else { return nil }
      return (header, header.segments(bytes))
    }
    guard let (header, segments) = parsed, segments.count == header.programHeaderCount,
      let first = segments.first(where: { $0.type == ELFSegment.load })
    else { return nil }
    self.segments = segments
    bias = start.rawValue &- (first.virtualAddress &- first.offset) & ~4095
    var found = ""
    // A hostile header names the same notes dozens of times.
    var room: UInt64 = 1 << 16
    for note in segments where note.type == ELFSegment.note && found.isEmpty {
      guard note.memorySize > 0, note.memorySize <= room,
        let content = memory.bytes(at: Address(bias &+ note.virtualAddress), count: Int(note.memorySize))
      else { continue }
      room -= note.memorySize
      head = content
      found = head.withUnsafeBytes { raw in
        raw.baseAddress.map { ELFBytes(base: $0, count: raw.count).buildID(inNotesAt: 0, size: UInt64(raw.count)) }
          ?? ""
      }
    }
    buildID = found
  }

  /// One past the highest address of the image in memory.
  package var end: UInt64 {
    var highest: UInt64 = 0
    for segment in segments where segment.type == ELFSegment.load { highest = max(highest, segment.virtualEnd ?? 0) }
    return bias &+ highest
  }
}
