import LockjawNestings
import LockjawTestPrograms
import Testing

@testable import LockjawEmulator

/// A family of encodings, and the flags that the manual defines for it.
private struct Family {
  var opcode: [UInt8]
  /// Bits 3…5 of ModRM where they are part of the opcode.
  var digit: UInt8?
  var hasModRM = true
  var constantBytes = 0
  var prefixes: [[UInt8]] = [[], [0x66], [0x48]]
  var flags = InstructionCase.allFlags
  var allowsMemory = true
  var allowsRegister = true

  /// A random member: register or `[rbx + disp8]`.
  func code(_ random: inout some RandomNumberGenerator) -> [UInt8] {
    var code = prefixes.randomElement(using: &random) ?? []
    code += opcode
    if hasModRM {
      let reg = digit ?? UInt8.random(in: 0...7, using: &random)
      let isRegister = allowsRegister && (!allowsMemory || Bool.random(using: &random))
      // rbx and rsp stay what they are: the first is where memory operands are.
      let registers: [UInt8] = [0, 1, 2, 5, 6, 7]
      if isRegister {
        code.append(0xC0 | reg << 3 | (registers.randomElement(using: &random) ?? 0))
      } else {
        code.append(0x43 | reg << 3)
        code.append(UInt8.random(in: 0...96, using: &random))
      }
    }
    for _ in 0..<constantBytes { code.append(UInt8.random(in: 0...255, using: &random)) }
    return code
  }
}

@Suite("Instructions")
struct InstructionTests {
  private static let all: [Family] = {
    typealias Case = InstructionCase
    var families = [Family]()
    let wide: [[UInt8]] = [[], [0x66], [0x48]]
    let logicFlags = Case.allFlags & ~Case.adjust
    for operation in UInt8(0)..<8 {
      let flags = operation == 1 || operation == 4 || operation == 6 ? logicFlags : Case.allFlags
      for form in UInt8(0)..<4 {
        families.append(Family(opcode: [operation << 3 | form], prefixes: form & 1 == 0 ? [[]] : wide, flags: flags))
      }
      families.append(Family(opcode: [0x80], digit: operation, constantBytes: 1, prefixes: [[]], flags: flags))
      families.append(Family(opcode: [0x83], digit: operation, constantBytes: 1, flags: flags))
      families.append(Family(opcode: [0x81], digit: operation, constantBytes: 4, prefixes: [[], [0x48]], flags: flags))
    }
    for opcode in [0x84, 0x85] as [UInt8] {
      families.append(Family(opcode: [opcode], prefixes: opcode == 0x84 ? [[]] : wide, flags: logicFlags))
    }
    for opcode in [0x88, 0x89, 0x8A, 0x8B, 0x63, 0x86, 0x87] as [UInt8] {
      families.append(Family(opcode: [opcode], prefixes: opcode & 1 == 0 ? [[]] : opcode == 0x63 ? [[0x48]] : wide))
    }
    families.append(Family(opcode: [0x8D], allowsRegister: false))
    families.append(Family(opcode: [0xC6], digit: 0, constantBytes: 1, prefixes: [[]]))
    families.append(Family(opcode: [0xC7], digit: 0, constantBytes: 4, prefixes: [[], [0x48]]))
    for digit in [0, 1, 4, 5, 7] as [UInt8] {
      // Overflow is defined for shifts by one, and carry within the operand's width.
      var flags =
        digit < 2 ? Case.carry | Case.parity | Case.zero | Case.sign | Case.adjust : Case.zero | Case.sign | Case.parity
      families.append(
        Family(opcode: [0xC1], digit: digit, constantBytes: 1, prefixes: [[], [0x48]], flags: flags & ~Case.overflow))
      flags |= digit < 2 ? Case.overflow : Case.carry | Case.overflow
      families.append(Family(opcode: [0xD1], digit: digit, flags: flags))
      families.append(
        Family(opcode: [0xD3], digit: digit, prefixes: [[], [0x48]], flags: flags & ~(Case.overflow | Case.carry)))
    }
    for digit in [2, 3] as [UInt8] {
      families.append(Family(opcode: [0xD1], digit: digit, flags: Case.allFlags))
    }
    for digit in [2, 3, 4, 5] as [UInt8] {
      let flags = digit == 2 ? Case.allFlags : digit == 3 ? Case.allFlags : Case.carry | Case.overflow
      families.append(Family(opcode: [0xF7], digit: digit, flags: flags))
      families.append(Family(opcode: [0xF6], digit: digit, prefixes: [[]], flags: flags))
    }
    families.append(Family(opcode: [0xF7], digit: 0, constantBytes: 4, prefixes: [[], [0x48]], flags: logicFlags))
    for digit in [0, 1] as [UInt8] { families.append(Family(opcode: [0xFF], digit: digit)) }
    families.append(Family(opcode: [0x6B], constantBytes: 1, flags: Case.carry | Case.overflow))
    families.append(
      Family(opcode: [0x69], constantBytes: 4, prefixes: [[], [0x48]], flags: Case.carry | Case.overflow))
    for opcode in [0x98, 0x99, 0xF5, 0xF8, 0xF9, 0xC9] as [UInt8] {
      families.append(
        Family(opcode: [opcode], hasModRM: false, prefixes: opcode == 0x98 || opcode == 0x99 ? wide : [[]]))
    }
    for opcode in UInt8(0x50)...0x5F where opcode != 0x5C && opcode != 0x54 {
      families.append(Family(opcode: [opcode], hasModRM: false, prefixes: [[]]))
    }
    for opcode in [0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF] as [UInt8] {
      families.append(Family(opcode: [opcode], hasModRM: false, prefixes: [[], [0x48]]))
    }
    for opcode in [0xA4, 0xAA, 0xA6, 0xAE] as [UInt8] {
      families.append(Family(opcode: [opcode], hasModRM: false, prefixes: [[0xF3]]))
    }
    for condition in UInt8(0)..<16 {
      families.append(Family(opcode: [0x0F, 0x40 | condition]))
      families.append(Family(opcode: [0x0F, 0x90 | condition], digit: 0, prefixes: [[]]))
    }
    for opcode in [0xB6, 0xB7, 0xBE, 0xBF] as [UInt8] {
      families.append(Family(opcode: [0x0F, opcode], prefixes: [[], [0x48]]))
    }
    families.append(Family(opcode: [0x0F, 0xAF], flags: Case.carry | Case.overflow))
    for opcode in [0xB0, 0xB1, 0xC0, 0xC1] as [UInt8] {
      families.append(Family(opcode: [0x0F, opcode], prefixes: opcode & 1 == 0 ? [[]] : wide))
      families.append(
        Family(
          opcode: [0x0F, opcode], prefixes: opcode & 1 == 0 ? [[0xF0]] : [[0xF0], [0xF0, 0x48]], allowsRegister: false))
    }
    for opcode in [0xA3, 0xAB, 0xB3, 0xBB] as [UInt8] {
      families.append(Family(opcode: [0x0F, opcode], flags: Case.carry, allowsMemory: false))
    }
    for digit in UInt8(4)..<8 {
      families.append(Family(opcode: [0x0F, 0xBA], digit: digit, constantBytes: 1, flags: Case.carry))
    }
    for opcode in [0xBC, 0xBD] as [UInt8] { families.append(Family(opcode: [0x0F, opcode], flags: Case.zero)) }
    for opcode in [0xA4, 0xAC] as [UInt8] {
      families.append(Family(opcode: [0x0F, opcode], constantBytes: 1, prefixes: [[], [0x48]], flags: 0))
    }
    for number in UInt8(0xC8)...0xCF where number != 0xCC {
      families.append(Family(opcode: [0x0F, number], hasModRM: false, prefixes: [[], [0x48]]))
    }
    // Vectors: all with 66; memory forms only where alignment does not matter, since [rbx + disp8] has none.
    let lanes: [UInt8] = [
      0x14, 0x15, 0x54, 0x55, 0x56, 0x57, 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C,
      0x6D, 0x74,
      0x75, 0x76, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD8, 0xDA, 0xDB, 0xDE, 0xDF, 0xE1, 0xE2, 0xEA, 0xEB, 0xEE, 0xEF, 0xF1,
      0xF2, 0xF3,
      0xF4, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xD7, 0x50, 0x6F, 0x28,
    ]
    for opcode in lanes { families.append(Family(opcode: [0x0F, opcode], prefixes: [[0x66]], allowsMemory: false)) }
    for opcode in [0x14, 0x15, 0x54, 0x55, 0x56, 0x57, 0x50, 0x28] as [UInt8] {
      families.append(Family(opcode: [0x0F, opcode], prefixes: [[]], allowsMemory: false))
    }
    families.append(
      Family(opcode: [0x0F, 0x70], constantBytes: 1, prefixes: [[0x66], [0xF2], [0xF3]], allowsMemory: false))
    families.append(Family(opcode: [0x0F, 0xC6], constantBytes: 1, prefixes: [[], [0x66]], allowsMemory: false))
    for opcode in [0x71, 0x72] as [UInt8] {
      for digit in [2, 4, 6] as [UInt8] {
        families.append(
          Family(opcode: [0x0F, opcode], digit: digit, constantBytes: 1, prefixes: [[0x66]], allowsMemory: false))
      }
    }
    for digit in [2, 3, 6, 7] as [UInt8] {
      families.append(
        Family(opcode: [0x0F, 0x73], digit: digit, constantBytes: 1, prefixes: [[0x66]], allowsMemory: false))
    }
    for opcode in [0x10, 0x11] as [UInt8] {
      families.append(Family(opcode: [0x0F, opcode], prefixes: [[], [0x66], [0xF2], [0xF3]]))
    }
    for opcode in [0x6F, 0x7F] as [UInt8] { families.append(Family(opcode: [0x0F, opcode], prefixes: [[0xF3]])) }
    for opcode in [0x12, 0x16] as [UInt8] { families.append(Family(opcode: [0x0F, opcode], prefixes: [[]])) }
    for opcode in [0x13, 0x17] as [UInt8] {
      families.append(Family(opcode: [0x0F, opcode], prefixes: [[], [0x66]], allowsRegister: false))
    }
    families.append(Family(opcode: [0x0F, 0x6E], prefixes: [[0x66], [0x66, 0x48]]))
    families.append(Family(opcode: [0x0F, 0x7E], prefixes: [[0x66], [0x66, 0x48], [0xF3]]))
    families.append(Family(opcode: [0x0F, 0xD6], prefixes: [[0x66]]))
    families.append(Family(opcode: [0x0F, 0xC4], constantBytes: 1, prefixes: [[0x66]]))
    families.append(Family(opcode: [0x0F, 0xC5], constantBytes: 1, prefixes: [[0x66]], allowsMemory: false))
    families.append(Family(opcode: [0x0F, 0x2A], prefixes: [[0xF2], [0xF3], [0xF2, 0x48], [0xF3, 0x48]]))
    families.append(Family(opcode: [0x0F, 0x2C], prefixes: [[0xF2], [0xF3], [0xF2, 0x48], [0xF3, 0x48]]))
    return families
  }()

  static let hasUnicorn = (try? Command.run(["python3", "-c", "import unicorn"]).status) == 0

  @Test(
    "Every instruction leaves registers, defined flags, vectors and memory as Unicorn does",
    .enabled(if: hasUnicorn, "the Python package unicorn is the oracle; without it there is nothing to compare with"))
  func equalsUnicorn() throws {
    var random = SystemRandomNumberGenerator()
    var lines = [String]()
    var cases = [(code: [UInt8], before: InstructionCase, flags: UInt64)]()
    for family in Self.all {
      for _ in 0..<40 {
        let code = family.code(&random)
        let before = InstructionCase.random(&random)
        cases.append((code, before, family.flags))
        lines.append(before.line(code))
      }
    }
    let directory = try TemporaryDirectory()
    try Program.write(lines.joined(separator: "\n") + "\n", to: "\(directory.path)/cases")
    let script = NestingBuild.directory(of: #filePath) + "/Oracle/oracle.py"
    let answers = try Command.succeed(["sh", "-c", "python3 \(script) < \(directory.path)/cases"]).split(
      separator: "\n")
    try #require(answers.count == cases.count)
    var wrong: [String: Int] = [:]
    var refused = 0
    for (answer, item) in zip(answers, cases) {
      guard var expected = InstructionCase(oracleLine: answer) else { continue }
      guard var got = item.before.after(item.code) else {
        refused += 1
        wrong["refused " + InstructionCase.hexadecimal(item.code), default: 0] += 1
        continue
      }
      expected.flags &= item.flags
      got.flags &= item.flags
      if got != expected {
        let what = [
          got.registers != expected.registers ? "registers" : "", got.flags != expected.flags ? "flags" : "",
          got.vectors != expected.vectors ? "vectors" : "", got.memory != expected.memory ? "memory" : "",
        ].filter { !$0.isEmpty }.joined(separator: " ")
        wrong["\(InstructionCase.hexadecimal(item.code)): \(what)", default: 0] += 1
      }
    }
    print("\(cases.count) cases of \(Self.all.count) families, \(wrong.count) differ")
    #expect(wrong.isEmpty, "\(wrong.keys.sorted().prefix(60).joined(separator: "\n"))")
    #expect(refused == 0)
  }
}
