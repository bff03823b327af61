import LockjawInspect
import LockjawModel

/// Which landing pad a call has, from `.eh_frame_hdr`, `.eh_frame` and `.gcc_except_table`: what the unwinder would do if
/// the callee threw.
final class ExceptionTables {
  enum LandingPad: Hashable {
    case at(UInt64)
    /// The table says that this call has none, or there is no table, or no entry.
    case none
  }

  private struct Index {
    var start: UInt64
    var end: UInt64
    /// Of `.eh_frame_hdr`; its entries are relative to it.
    var header: UInt64
    var count: Int
  }
  private let indexes: [Index]
  private let memory: any MemoryReader
  private var known: [UInt64: LandingPad] = [:]

  init(modules: [LoadedModule], memory: any MemoryReader) {
    self.memory = memory
    indexes = modules.compactMap { loaded in
      guard let segment = loaded.segment(ELFSegment.unwindTable) else { return nil }
      let header = loaded.bias &+ segment.virtualAddress
      // Only the form that every linker writes: version 1, 4-byte entries relative to the header.
      guard let bytes = memory.bytes(at: Address(header), count: 12), bytes[0] == 1, bytes[2] == 3, bytes[3] == 0x3B,
        segment.memorySize >= 12
      else { return nil }
      let count = UInt64(bytes[8]) | UInt64(bytes[9]) << 8 | UInt64(bytes[10]) << 16 | UInt64(bytes[11]) << 24
      return Index(
        start: loaded.module.start.rawValue, end: loaded.module.end.rawValue, header: header,
        count: Int(min(count, (segment.memorySize - 12) / 8)))
    }
  }

  /// - Parameter returnAddress: where the call returns to; the call itself lies before it.
  func landingPad(returnAddress: UInt64) -> LandingPad {
    if let answer = known[returnAddress] { return answer }
    let answer = find(returnAddress &- 1).map { LandingPad.at($0) } ?? .none
    if known.count > 1 << 16 { known.removeAll(keepingCapacity: true) }
    known[returnAddress] = answer
    return answer
  }

  /// The pads of the calls next to one in its function; empty unless there is one on either side.
  func neighbouringPads(returnAddress: UInt64) -> [UInt64] {
    let pc = returnAddress &- 1
    guard let (function, table) = table(of: pc) else { return [] }
    let pads = CallSiteTable.neighbouringPads(of: pc, function: function, table: table, memory: memory)
    guard let before = pads.before, let behind = pads.behind else { return [] }
    return [before, behind]
  }

  /// Whether an entry speaks for any of the code from `start` to `end`.
  func describes(_ start: UInt64, through end: UInt64) -> Bool {
    guard let index = indexes.first(where: { $0.start <= end && end < $0.end }),
      let entry = frameDescription(of: end, in: index), let function = FrameDescription(at: entry, memory: memory)
    else { return false }
    return function.start >= start || start - function.start < function.count
  }

  private func find(_ pc: UInt64) -> UInt64? {
    guard let (function, table) = table(of: pc) else { return nil }
    return CallSiteTable.landingPad(of: pc, function: function, table: table, memory: memory)
  }

  /// Start and exception table of the function that `pc` lies in.
  private func table(of pc: UInt64) -> (function: UInt64, table: UInt64)? {
    guard let index = indexes.first(where: { $0.start <= pc && pc < $0.end }),
      let entry = frameDescription(of: pc, in: index), let function = FrameDescription(at: entry, memory: memory),
      pc >= function.start, pc - function.start < function.count, let table = function.exceptionTable
    else { return nil }
    return (function.start, table)
  }

  /// The last entry that begins at or before `pc`.
  private func frameDescription(of pc: UInt64, in index: Index) -> UInt64? {
    func field(_ entry: Int, _ offset: UInt64) -> UInt64? {
      memory.load(Int32.self, at: Address(index.header &+ 12 &+ UInt64(entry * 8) &+ offset)).map {
        index.header &+ UInt64(bitPattern: Int64($0))
      }
    }
    var (low, high) = (0, index.count)
    while low < high {
      let middle = (low + high) / 2
      guard let start = field(middle, 0) else { return nil }
      if start <= pc { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? field(low - 1, 4) : nil
  }
}

/// Reads on through bytes that were fetched once; past their end everything is `nil`.
struct TableCursor {
  let base: UInt64
  let bytes: [UInt8]
  var at = 0

  /// At most `count` bytes from `base`; fewer where memory ends.
  init(_ memory: any MemoryReader, at base: UInt64, count: Int) {
    self.base = base
    var buffer = [UInt8](repeating: 0, count: count)
    let got = buffer.withUnsafeMutableBytes { memory.read(Address(base), into: $0) }
    buffer.removeLast(count - min(max(got, 0), count))
    bytes = buffer
  }

  var address: UInt64 { base &+ UInt64(at) }

  mutating func fixed(_ width: Int) -> UInt64? {
    guard at + width <= bytes.count else { return nil }
    var value: UInt64 = 0
    for index in 0..<width { value |= UInt64(bytes[at + index]) << UInt64(8 * index) }
    at += width
    return value
  }

  /// LEB128; bits beyond 64 are lost.
  mutating func uleb() -> UInt64? {
    var (value, shift): (UInt64, UInt64) = (0, 0)
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      if shift < 64 { value |= UInt64(byte & 0x7F) << shift }
      shift += 7
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }

  mutating func sleb() -> UInt64? {
    let begin = at
    guard let value = uleb() else { return nil }
    let bits = UInt64(7 * (at - begin))
    guard bits < 64, bytes[at - 1] & 0x40 != 0 else { return value }
    return value | ~0 << bits
  }

  /// A pointer in one of the encodings of the LSB ("DWARF Extensions"); indirect ones are not followed.
  mutating func encoded(_ encoding: UInt8) -> UInt64? {
    let here = address
    let value: UInt64?
    switch encoding & 0x0F {
    case 0x0, 0x4, 0xC: value = fixed(8)
    case 0x1: value = uleb()
    case 0x2: value = fixed(2)
    case 0x3: value = fixed(4)
    case 0x9: value = sleb()
    case 0xA: value = fixed(2).map { Width.signExtend($0, 2) }
    case 0xB: value = fixed(4).map { Width.signExtend($0, 4) }
    default: return nil
    }
    switch encoding & 0x70 {
    case 0x00: return value
    // A null pointer stays one.
    case 0x10: return value.map { $0 == 0 ? 0 : $0 &+ here }
    default: return nil
    }
  }
}
