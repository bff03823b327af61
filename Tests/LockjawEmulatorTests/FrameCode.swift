import LockjawInspect
import LockjawModel

@testable import LockjawEmulator

/// A frame of a few instructions, between two calls, with a stack: what a run of it finds is known.
struct FrameCode {
  static let start: UInt64 = 0x40_0000
  /// Functions that it may call.
  static let never = start, endsNever = start + 0x10, panics = start + 0x20, clock = start + 0x30
  static let returnAddress = start + 0x100
  static let lock: UInt64 = 0x60_0000
  static let stackPointer: UInt64 = 0x7000_0000
  /// Where the frame's caller goes on.
  static let caller: UInt64 = 0x50_0000

  /// From where its callee returns to.
  private(set) var code: [UInt8] = []
  /// From its stack pointer.
  var stack: [UInt64]

  private static let functions: [UInt64: [UInt8]] = [
    never: [0xEB, 0xFE],  // jmp never
    // sub rsp, 8; call never; add rsp, 8; ret
    endsNever: [0x48, 0x83, 0xEC, 0x08, 0xE8, 0xE7, 0xFF, 0xFF, 0xFF, 0x48, 0x83, 0xC4, 0x08, 0xC3],
    panics: [0x0F, 0x0B],  // ud2
  ]

  mutating func add(_ bytes: [UInt8]) { code += bytes }

  mutating func call(_ target: UInt64) {
    let next = Self.returnAddress + UInt64(code.count) + 5
    let distance = UInt32(truncatingIfNeeded: target &- next)
    code += [0xE8] + (0..<4).map { UInt8(truncatingIfNeeded: distance >> (8 * $0)) }
  }

  /// Drops the guard at rsp + 8, which is the address of a mutex of std: mov rax, [rsp + 8]; xor ecx, ecx; xchg [rax], ecx
  mutating func dropGuard() { add([0x48, 0x8B, 0x44, 0x24, 0x08, 0x31, 0xC9, 0x87, 0x08]) }

  /// add rsp, 24; ret
  mutating func leave() { add([0x48, 0x83, 0xC4, 0x18, 0xC3]) }

  private func image() -> MemoryImages {
    var text = [UInt8](repeating: 0xCC, count: 4096)
    for (address, bytes) in Self.functions {
      text.replaceSubrange(Int(address - Self.start)..<Int(address - Self.start) + bytes.count, with: bytes)
    }
    let at = Int(Self.returnAddress - Self.start)
    text.replaceSubrange(at..<at + code.count, with: code)
    let words = stack.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    return MemoryImages([
      MemoryImage(base: Address(Self.start), bytes: text),
      MemoryImage(base: Address(Self.lock), bytes: [2] + [UInt8](repeating: 0, count: 4095)),
      // Below it is room for what it calls.
      MemoryImage(base: Address(Self.stackPointer - 4096), bytes: [UInt8](repeating: 0, count: 4096) + words),
    ])
  }

  var run: FrameRun {
    let stubs = Stubs(
      code: [(Self.start, Self.start + 4096), (Self.caller, Self.caller + 4096)], stubs: [Self.clock: .clock])
    return FrameRun(memory: image(), stubs: stubs, tables: ExceptionTables(modules: [], memory: image()))
  }

  /// - Parameter words: of its part of the stack, the return address included; `nil`: not known.
  static func frame(words: Int? = nil, rbx: UInt64 = 0) -> FrameRun.Frame {
    FrameRun.Frame(
      returnAddress: returnAddress, stackPointer: stackPointer, preserved: [rbx, 0, 0, 0, 0, 0],
      end: words.map { stackPointer + 8 * UInt64($0) } ?? .max, fsBase: 0)
  }
}
