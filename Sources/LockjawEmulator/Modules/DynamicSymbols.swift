import LockjawInspect
import LockjawModel

/// A module's dynamic symbol table and the slots through which it calls others, as they are in memory: stripping does
/// not take them away. Every number in them is the file's, and checked.
struct DynamicSymbols {
  struct Symbol {
    /// Offset of the name in `names`.
    var nameOffset: Int
    /// In memory; 0 for a symbol that another module defines.
    var address: UInt64
  }
  /// A word that holds a function's address once the loader has bound it.
  struct Slot {
    var address: UInt64
    var symbol: Int
  }

  private(set) var symbols: [Symbol] = []
  private(set) var slots: [Slot] = []
  private var names: [UInt8] = []

  private static let longestTable: UInt64 = 64 << 20
  private static let symbolBytes = 24
  private static let relocationBytes = 24

  /// `nil` for a module without a dynamic section.
  /// - Parameter memory: where the module is loaded.
  init?(dynamic: UInt64, size: UInt64, module: Module, bias: UInt64, memory: any MemoryReader) {
    guard size >= 16, size <= 1 << 16, let entries = memory.bytes(at: Address(dynamic), count: Int(size)) else {
      return nil
    }
    var tags: [UInt64: UInt64] = [:]
    for at in stride(from: 0, to: entries.count - 15, by: 16) {
      let tag = entries.word(at)
      if tag == 0 { break }
      tags[tag] = entries.word(at + 8)
    }
    // The loader has made addresses of most of these; in a table it could not write to they are still the file's.
    func address(_ tag: UInt64) -> UInt64? {
      tags[tag].map { $0 < module.start.rawValue ? $0 &+ bias : $0 }
    }
    guard let symbolTable = address(6), let stringTable = address(5), let stringBytes = tags[10],
      stringBytes <= Self.longestTable, let names = memory.bytes(at: Address(stringTable), count: Int(stringBytes))
    else { return nil }
    self.names = names
    // How many symbols there are stands nowhere; every linker puts the names behind them.
    let room = stringTable > symbolTable ? stringTable - symbolTable : 0
    guard room <= Self.longestTable else { return nil }
    let count = Int(room) / Self.symbolBytes
    guard let table = memory.bytes(at: Address(symbolTable), count: count * Self.symbolBytes) else { return nil }
    symbols.reserveCapacity(count)
    for index in 0..<count {
      let at = index * Self.symbolBytes
      let isDefined = UInt16(table[at + 6]) | UInt16(table[at + 7]) << 8 != 0
      let value = table.word(at + 8)
      symbols.append(
        Symbol(
          nameOffset: Int(table.word(at) & 0xFFFF_FFFF), address: isDefined && value != 0 ? bias &+ value : 0))
    }
    for (start, bytes) in [(address(23), tags[2]), (address(7), tags[8])] {  // JMPREL, RELA
      guard let start, let bytes, bytes <= Self.longestTable,
        let relocations = memory.bytes(at: Address(start), count: Int(bytes))
      else { continue }
      for at in stride(from: 0, to: relocations.count - (Self.relocationBytes - 1), by: Self.relocationBytes) {
        let (type, symbol) = (relocations.word(at + 8) & 0xFFFF_FFFF, Int(relocations.word(at + 8) >> 32))
        // GLOB_DAT, JUMP_SLOT
        guard type == 6 || type == 7, symbol < symbols.count else { continue }
        slots.append(Slot(address: bias &+ relocations.word(at), symbol: symbol))
      }
    }
  }

  /// The name of a symbol without its version; "" where it lies outside the table.
  func name(_ symbol: Symbol) -> ArraySlice<UInt8> {
    guard symbol.nameOffset < names.count else { return [] }
    let rest = names[symbol.nameOffset...]
    return rest.prefix(while: { $0 != 0 })
  }
}

extension [UInt8] {
  /// Eight little-endian bytes; the caller has checked that they are there.
  fileprivate func word(_ at: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(self[at + $1]) << UInt64(8 * $1) }
  }
}
