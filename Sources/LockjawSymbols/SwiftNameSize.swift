/// How long a mangled Swift name can become, told without demangling it.
///
/// `A` and a letter stand for a part that came before (swift/docs/ABI/Mangling.rst, "Substitutions"). A name of 130
/// bytes in which thirty types each have the one before as both arguments is billions of characters long, and the
/// runtime's demangler writes them all.
enum SwiftNameSize {
  /// Bytes that a name may become at most; names that people write stay below by their few references.
  private static let longest = 1 << 24

  static func isBounded(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    var index = 0
    /// Reads decimal digits.
    func number() -> Int? {
      let start = index
      var value = 0
      while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 {
        value = min(value * 10 + Int(bytes[index] - 0x30), longest)
        index += 1
      }
      return index == start ? nil : value
    }
    // Every byte for a word of what it stands for.
    var size = bytes.count * 8
    while index < bytes.count, size <= longest {
      let byte = bytes[index]
      if byte >= 0x30, byte <= 0x39 {
        let isZero = byte == 0x30
        // Words of earlier identifiers, the last in upper case, before what is new in this one.
        if isZero {
          index += 1
          while index < bytes.count, bytes[index] >= 0x61, bytes[index] <= 0x7A { index += 1 }
          if index < bytes.count, bytes[index] >= 0x41, bytes[index] <= 0x5A { index += 1 }
        }
        let length = number() ?? 0
        // An index ends in "_"; else so many bytes are an identifier's.
        if index < bytes.count, bytes[index] != 0x5F { index += min(length, bytes.count - index) }
        continue
      }
      index += 1
      guard byte == UInt8(ascii: "A") || byte == UInt8(ascii: "S") else { continue }
      // `A2bC`: the part B twice, then the part C. `A27_` is one part, by its number.
      var goesOn = true
      while goesOn, index < bytes.count, size <= longest {
        let times = number() ?? 1
        guard index < bytes.count else { break }
        let letter = bytes[index]
        index += 1
        let repeats = letter == 0x5F ? 1 : times
        if byte == UInt8(ascii: "S") {
          // A type of the standard library; nothing that came before.
          size += 8 * repeats
          goesOn = false
        } else {
          size *= 1 + repeats
          goesOn = letter >= 0x61 && letter <= 0x7A
        }
      }
    }
    return size <= longest
  }
}
