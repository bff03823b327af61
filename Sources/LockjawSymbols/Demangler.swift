import CLockjawNative
import Glibc

/// The Swift runtime's own demangler; every Swift program carries it, statically linked or not.
@_silgen_name("swift_demangle")
private func swiftDemangle(
  _ name: UnsafePointer<CChar>, _ length: Int, _ output: UnsafeMutablePointer<CChar>?,
  _ outputLength: UnsafeMutablePointer<Int>?, _ flags: UInt32
) -> UnsafeMutablePointer<CChar>?

/// Linker names → what the source says.
package enum Demangler {
  /// Longer names are left as they are: the demanglers recurse over them.
  private static let longest = 4096

  /// C++, Rust (both forms, the hash left out) and Swift; other names come back unchanged.
  package static func demangled(_ name: String) -> String {
    guard name.utf8.count <= longest else { return name }
    if name.hasPrefix("$s") || name.hasPrefix("$S") || name.hasPrefix("_$s") || name.hasPrefix("_$S") || name.hasPrefix("_T0") {
      return owned(swiftDemangle(name, name.utf8.count, nil, nil, 0)) ?? name
    }
    guard name.hasPrefix("_Z") || name.hasPrefix("_R") else { return name }
    // Compilers mark the pieces they cut a function into behind a dot; the function is the same.
    let stem = name.prefix(while: { $0 != "." })
    return owned(lj_demangle(String(stem))) ?? owned(lj_demangle(name)) ?? name
  }

  private static func owned(_ text: UnsafeMutablePointer<CChar>?) -> String? {
    guard let text else { return nil }
    defer { free(text) }
    return String(cString: text)
  }
}
