/// A 64-bit hash that is the same on every host, build and run (Swift's own `Hasher` is seeded per process).
///
/// FNV-1a with the offset basis and prime of Fowler, Noll and Vo (draft-eastlake-fnv): not cryptographic, which a
/// signature need not be: nobody gains by forging the name of his own bug.
struct StableHash {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func feed(_ text: String) {
    for byte in text.utf8 { feed(byte) }
    // A byte that no UTF-8 text contains keeps ("ab", "c") and ("a", "bc") apart.
    feed(0xff)
  }

  private mutating func feed(_ byte: UInt8) {
    state ^= UInt64(byte)
    state &*= 0x0000_0100_0000_01b3
  }

  /// All 64 bits as 13 digits of RFC 4648's base32 (no 0, 1 and 8, which look like letters), the highest first.
  var base32: String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    return String((0..<13).reversed().map { digits[Int(state >> UInt64($0 * 5) & 31)] })
  }
}
