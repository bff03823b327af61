import LockjawInspect
import LockjawModel

/// Which addresses are code, which of them are functions that are not run, and where slots lead that the loader has not
/// bound yet.
final class Stubs {
  private var stubs: [UInt64: Stub] = [:]
  let filter = StubFilter()
  /// Slots that still lead into their own module's procedure linkage table, with the function they are for (0: unknown).
  private var unbound: [UInt64: UInt64] = [:]
  /// Text of all modules, by rising start.
  private let code: [(start: UInt64, end: UInt64)]

  /// For tests: no module's names, this code.
  init(code: [(start: UInt64, end: UInt64)], stubs: [UInt64: Stub] = [:]) {
    self.code = code.sorted { $0.start < $1.start }
    for (address, stub) in stubs { add(stub, at: address) }
  }

  convenience init(modules: [LoadedModule], memory: any MemoryReader) {
    self.init(code: modules.map { ($0.module.textStart.rawValue, $0.module.textEnd.rawValue) })
    let tables = modules.map { $0.dynamicSymbols(memory) }
    // Names in use, as bytes: a large library has thousands, of which a few dozen matter.
    var wanted: [ArraySlice<UInt8>: Stub?] = [:]
    for (name, stub) in Stub.byName { wanted[ArraySlice(Array(name.utf8))] = .some(stub) }
    var unboundNames: [UInt64: ArraySlice<UInt8>] = [:]
    for (loaded, table) in zip(modules, tables) {
      guard let table else { continue }
      let text = loaded.module.textStart.rawValue..<loaded.module.textEnd.rawValue
      for slot in table.slots {
        guard let value = memory.load(UInt64.self, at: Address(slot.address)), value != 0 else { continue }
        let symbol = table.symbols[slot.symbol]
        let name = table.name(symbol)
        if text.contains(value), symbol.address == 0 {
          unboundNames[slot.address] = name
          if wanted[name] == nil { wanted[name] = .some(nil) }
        } else if case .some(.some(let stub)) = wanted[name] {
          // What the slot holds is what runs: of a function with variants, the one that was chosen.
          add(stub, at: value)
        }
      }
    }
    var addresses: [ArraySlice<UInt8>: UInt64] = [:]
    for table in tables {
      guard let table else { continue }
      for symbol in table.symbols where symbol.address != 0 {
        let name = table.name(symbol)
        guard let entry = wanted[name] else { continue }
        if let stub = entry { add(stub, at: symbol.address) }
        if addresses[name] == nil { addresses[name] = symbol.address }
      }
    }
    for (slot, name) in unboundNames { unbound[slot] = addresses[name] ?? 0 }
  }

  deinit { filter.deallocate() }

  private func add(_ stub: Stub, at address: UInt64) {
    // The first name wins: `pthread_mutex_lock` and its alias have one address and one meaning.
    if stubs[address] == nil { stubs[address] = stub }
    filter.insert(address)
  }

  func stub(at address: UInt64) -> Stub? { stubs[address] }

  /// Where an indirect branch through `slot`, which holds `value`, leads.
  func boundTarget(slot: UInt64, value: UInt64) -> UInt64 {
    unbound.isEmpty ? value : unbound[slot] ?? value
  }

  func isCode(_ address: UInt64) -> Bool {
    var low = 0
    var high = code.count
    while low < high {
      let middle = (low + high) / 2
      if code[middle].start <= address { low = middle + 1 } else { high = middle }
    }
    return low > 0 && address < code[low - 1].end
  }
}

/// A bit for each address' hash: nearly every branch is answered here. A plain pointer; whoever made it deallocates it.
struct StubFilter {
  private let words: UnsafeMutablePointer<UInt64>
  private static let bits: UInt64 = 1 << 14

  init() {
    words = .allocate(capacity: Int(Self.bits / 64))
    words.initialize(repeating: 0, count: Int(Self.bits / 64))
  }

  func deallocate() { words.deallocate() }

  @inline(__always)
  private static func bit(_ address: UInt64) -> UInt64 { (address >> 4 ^ address) & (bits - 1) }

  func insert(_ address: UInt64) {
    let bit = Self.bit(address)
    words[Int(bit >> 6)] |= 1 << (bit & 63)
  }

  @inline(__always)
  func mayContain(_ address: UInt64) -> Bool {
    let bit = Self.bit(address)
    return words[Int(bit >> 6)] >> (bit & 63) & 1 == 1
  }
}
