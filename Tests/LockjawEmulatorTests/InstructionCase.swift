import LockjawInspect
import LockjawModel

@testable import LockjawEmulator

/// One instruction with everything it can see, before or after.
struct InstructionCase: Equatable {
  var registers: [UInt64]
  var flags: UInt64
  var vectors: [SIMD2<UInt64>]
  var memory: [UInt8]

  static let codeAddress: UInt64 = 0x10000
  static let dataAddress: UInt64 = 0x20000

  /// The flags that arithmetic sets.
  static let carry: UInt64 = 1
  static let parity: UInt64 = 4
  static let adjust: UInt64 = 0x10
  static let zero: UInt64 = 0x40
  static let sign: UInt64 = 0x80
  static let overflow: UInt64 = 0x800
  static let allFlags = carry | parity | adjust | zero | sign | overflow

  /// Random, with rbx, rsi and rdi inside the data and small numbers in rcx, for the instructions that count.
  static func random(_ random: inout some RandomNumberGenerator) -> InstructionCase {
    func number(_ random: inout some RandomNumberGenerator) -> UInt64 {
      let interesting: [UInt64] = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFF_FFFF, 0x8000_0000, 1 << 63, ~0]
      return Bool.random(using: &random)
        ? UInt64.random(in: 0...(.max), using: &random) : interesting.randomElement(using: &random) ?? 0
    }
    var registers = (0..<16).map { _ in number(&random) }
    registers[3] = dataAddress + 128
    registers[6] = dataAddress + 64
    registers[7] = dataAddress + 160
    registers[4] = dataAddress + 200
    registers[5] = dataAddress + 96
    registers[1] = UInt64.random(in: 0...9, using: &random)
    return InstructionCase(
      registers: registers, flags: (UInt64.random(in: 0...0xFFF, using: &random) & allFlags) | 0x202,
      vectors: (0..<16).map { _ in SIMD2(number(&random), number(&random)) },
      memory: (0..<256).map { _ in UInt8.random(in: 0...255, using: &random) })
  }

  /// The state after `code`; `nil` where the processor refuses it.
  func after(_ code: [UInt8]) -> InstructionCase? {
    var page = code + [UInt8](repeating: 0x90, count: 4096 - code.count)
    page[code.count] = 0xF4
    let data = memory + [UInt8](repeating: 0, count: 4096 - memory.count)
    let source = MemoryImages([
      MemoryImage(base: Address(Self.codeAddress), bytes: page),
      MemoryImage(base: Address(Self.dataAddress), bytes: data),
    ])
    var processor = Processor(
      memory: GuestMemory(source), stubs: Stubs(code: [(Self.codeAddress, Self.codeAddress + 4096)]))
    processor.reset(watching: [])
    for index in 0..<16 {
      processor.registers[index] = registers[index]
      processor.vectors[index] = vectors[index]
    }
    processor.flags.word = flags
    processor.rip = Self.codeAddress
    // The HLT behind it ends the run.
    guard processor.run() == .trap, processor.rip == Self.codeAddress + UInt64(code.count) + 1 else { return nil }
    var result = self
    result.registers = (0..<16).map { processor.registers[$0] }
    result.vectors = (0..<16).map { processor.vectors[$0] }
    result.flags = processor.flags.word
    result.memory = (0..<256).map { UInt8(truncatingIfNeeded: processor.raw(Self.dataAddress + UInt64($0), 1)) }
    return result
  }

  // MARK: The oracle's lines

  func line(_ code: [UInt8]) -> String {
    let parts = [
      Self.hexadecimal(code), registers.map { String($0, radix: 16) }.joined(separator: ","), String(flags, radix: 16),
      vectors.map { Self.padded($0[1]) + Self.padded($0[0]) }.joined(separator: ","), Self.hexadecimal(memory),
    ]
    return parts.joined(separator: " ")
  }

  /// `nil` for "fault".
  init?(oracleLine: Substring) {
    let parts = oracleLine.split(separator: " ")
    guard parts.count == 4, let flags = UInt64(parts[1], radix: 16) else { return nil }
    self.flags = flags
    registers = parts[0].split(separator: ",").map { UInt64($0, radix: 16) ?? 0 }
    vectors = parts[2].split(separator: ",").map {
      SIMD2(UInt64($0.suffix(16), radix: 16) ?? 0, UInt64($0.prefix(16), radix: 16) ?? 0)
    }
    let digits = Array(parts[3])
    memory = stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16) ?? 0 }
  }

  init(registers: [UInt64], flags: UInt64, vectors: [SIMD2<UInt64>], memory: [UInt8]) {
    (self.registers, self.flags, self.vectors, self.memory) = (registers, flags, vectors, memory)
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private static func padded(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
