/// Bytes of an ELF file or of its loaded header, by file offset; every access is checked against their end.
///
/// It does not own the memory: whoever makes one keeps the bytes alive while it is used.
struct ELFBytes {
  let base: UnsafeRawPointer
  let count: Int

  func contains(_ offset: UInt64, _ bytes: Int) -> Bool {
    bytes >= 0 && bytes <= count && offset <= UInt64(count - bytes)
  }

  func load<T: FixedWidthInteger>(_ type: T.Type, at offset: UInt64) -> T? {
    guard contains(offset, MemoryLayout<T>.size) else { return nil }
    return T(littleEndian: base.loadUnaligned(fromByteOffset: Int(offset), as: T.self))
  }

  /// The bytes up to the next zero, at most `limit` of them; "" outside the file.
  func string(at offset: UInt64, limit: Int) -> String {
    guard offset < UInt64(count) else { return "" }
    let room = min(limit, count - Int(offset))
    let bytes = UnsafeRawBufferPointer(start: base + Int(offset), count: room)
    return String(decoding: bytes.prefix(while: { $0 != 0 }), as: UTF8.self)
  }

  /// The GNU build-id among the notes in a range, lower-case hexadecimal; "" where there is none.
  func buildID(inNotesAt offset: UInt64, size: UInt64) -> String {
    guard size <= UInt64(count), contains(offset, Int(size)) else { return "" }
    var at = offset
    let end = offset + size
    while at + 12 <= end {
      guard let nameSize = load(UInt32.self, at: at), let contentSize = load(UInt32.self, at: at + 4),
        let type = load(UInt32.self, at: at + 8)
      else { return "" }
      let content = at + 12 + (UInt64(nameSize) + 3) & ~3
      let next = content + (UInt64(contentSize) + 3) & ~3
      guard content + UInt64(contentSize) <= end else { return "" }
      if type == 3, nameSize == 4, load(UInt32.self, at: at + 12) == 0x0055_4E47 {  // "GNU\0"
        let bytes = UnsafeRawBufferPointer(start: base + Int(content), count: Int(contentSize))
        return hexadecimal(bytes)
      }
      guard next > at else { return "" }
      at = next
    }
    return ""
  }
}

/// Two lower-case digits a byte.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text = [UInt8]()
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}
