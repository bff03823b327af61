import LockjawModel

/// Decodes glibc's synchronisation objects (x86-64, glibc 2.31 to 2.41).
package enum GlibcWord {
  /// The decoded object, or `nil` where its bytes cannot be read or the type has no word.
  package static func decode(
    _ type: LockType, at address: Address, memory: (Address, Int) -> [UInt8]?
  ) -> LockWord? { fatalError("skeleton") }
}
