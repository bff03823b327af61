import LockjawInspect
import LockjawModel

/// One entry of `.eh_frame`: which code it is for, and where that code's exception table is.
struct FrameDescription {
  var start: UInt64
  var count: UInt64
  /// Address of the language-specific data; `nil` where the function has none.
  var exceptionTable: UInt64?

  init?(at address: UInt64, memory: any MemoryReader) {
    var cursor = TableCursor(memory, at: address, count: 64)
    guard let length = cursor.fixed(4), length >= 12, length < 0xFFFF_FFF0 else { return nil }
    let field = cursor.address
    guard let distance = cursor.fixed(4), distance != 0,
      let common = CommonEntry(at: field &- distance, memory: memory),
      let start = cursor.encoded(common.pointerEncoding),
      let count = cursor.encoded(common.pointerEncoding & 0x0F)
    else { return nil }
    self.start = start
    self.count = count
    if common.hasAugmentation {
      guard let bytes = cursor.uleb() else { return nil }
      if let encoding = common.exceptionTableEncoding, encoding != 0xFF, bytes > 0,
        let table = cursor.encoded(encoding & 0x7F), table != 0
      {
        exceptionTable = table
      }
    }
  }

  /// What many entries share.
  private struct CommonEntry {
    var pointerEncoding: UInt8 = 0
    var exceptionTableEncoding: UInt8?
    var hasAugmentation = false

    init?(at address: UInt64, memory: any MemoryReader) {
      var cursor = TableCursor(memory, at: address, count: 96)
      guard let length = cursor.fixed(4), length >= 8, length < 0xFFFF_FFF0, cursor.fixed(4) == 0,
        let version = cursor.fixed(1), version == 1 || version == 3
      else { return nil }
      var augmentation = [UInt8]()
      while let character = cursor.fixed(1), character != 0 {
        augmentation.append(UInt8(character))
        guard augmentation.count <= 8 else { return nil }
      }
      guard cursor.uleb() != nil, cursor.sleb() != nil, version == 1 ? cursor.fixed(1) != nil : cursor.uleb() != nil
      else {
        return nil
      }
      guard let first = augmentation.first else { return }
      guard first == UInt8(ascii: "z"), cursor.uleb() != nil else { return nil }
      hasAugmentation = true
      for character in augmentation.dropFirst() {
        switch character {
        case UInt8(ascii: "R"):
          guard let encoding = cursor.fixed(1) else { return nil }
          pointerEncoding = UInt8(encoding)
        case UInt8(ascii: "L"):
          guard let encoding = cursor.fixed(1) else { return nil }
          exceptionTableEncoding = UInt8(encoding)
        case UInt8(ascii: "P"):
          // Whose routine it is does not matter: C++ and Rust share the table's form.
          guard let encoding = cursor.fixed(1), cursor.encoded(UInt8(encoding) & 0x0F) != nil else { return nil }
        case UInt8(ascii: "S"), UInt8(ascii: "B"): break
        default: return nil
        }
      }
    }
  }
}

/// `.gcc_except_table` of one function: its first part, which names the landing pad of each range of calls.
enum CallSiteTable {
  /// Entries looked through at most: a function has as many calls at best.
  private static let longestTable = 1 << 20

  /// `nil` where the call has no pad, or no entry (the runtime would terminate), or the table is damaged.
  static func landingPad(of pc: UInt64, function: UInt64, table: UInt64, memory: any MemoryReader) -> UInt64? {
    var found: UInt64?
    let within = pc &- function
    forEachEntry(function, table, memory) { entry in
      // Entries are sorted.
      if within < entry.start { return false }
      guard within - entry.start < entry.count else { return true }
      found = entry.pad
      return false
    }
    return found
  }

  /// The pads of the nearest calls before and behind `pc` that have one.
  static func neighbouringPads(
    of pc: UInt64, function: UInt64, table: UInt64, memory: any MemoryReader
  ) -> (before: UInt64?, behind: UInt64?) {
    var before: UInt64?
    var behind: UInt64?
    let within = pc &- function
    forEachEntry(function, table, memory) { entry in
      guard let pad = entry.pad else { return true }
      if entry.start <= within {
        before = pad
        return true
      }
      behind = pad
      return false
    }
    return (before, behind)
  }

  private struct Entry {
    /// From the function's start.
    var start: UInt64
    var count: UInt64
    var pad: UInt64?
  }

  /// In the table's order, until `body` has enough or the table ends or is damaged.
  private static func forEachEntry(
    _ function: UInt64, _ table: UInt64, _ memory: any MemoryReader, _ body: (Entry) -> Bool
  ) {
    var head = TableCursor(memory, at: table, count: 64)
    guard let padEncoding = head.fixed(1) else { return }
    var padBase = function
    if padEncoding != 0xFF {
      guard let base = head.encoded(UInt8(padEncoding)) else { return }
      padBase = base
    }
    guard let typeEncoding = head.fixed(1) else { return }
    if typeEncoding != 0xFF, head.uleb() == nil { return }
    guard let encoding = head.fixed(1), let bytes = head.uleb(), bytes > 0, bytes <= UInt64(longestTable) else {
      return
    }
    var cursor = TableCursor(memory, at: head.address, count: Int(bytes))
    let form = UInt8(encoding) & 0x0F
    while cursor.at < cursor.bytes.count {
      guard let start = cursor.encoded(form), let count = cursor.encoded(form), let pad = cursor.encoded(form),
        cursor.uleb() != nil, body(Entry(start: start, count: count, pad: pad == 0 ? nil : padBase &+ pad))
      else { return }
    }
  }
}
