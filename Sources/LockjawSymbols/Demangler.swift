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
    if name.hasPrefix("$s") || name.hasPrefix("$S") || name.hasPrefix("_$s") || name.hasPrefix("_$S")
      || name.hasPrefix("_T0")
    {
      guard SwiftNameSize.isBounded(name) else { return name }
      return owned(swiftDemangle(name, name.utf8.count, nil, nil, 0)).map { swiftSource($0) } ?? name
    }
    guard name.hasPrefix("_Z") || name.hasPrefix("_R") else { return name }
    // Compilers mark the pieces they cut a function into behind a dot; the function is the same.
    let stem = name.prefix(while: { $0 != "." })
    return owned(lj_demangle(String(stem))) ?? owned(lj_demangle(name)) ?? name
  }

  /// Leaves out what the optimiser and the linker add to a Swift name: the same function then has the same name in
  /// every build. "merged" stays: such code serves several functions, and this name may be another's.
  private static func swiftSource(_ text: String) -> String {
    var rest = Substring(text)
    let additions = [
      "function signature specialization <", "generic specialization <", "generic not re-abstracted specialization <",
    ]
    while let addition = additions.first(where: { rest.hasPrefix($0) }) {
      var depth = 1
      let list = rest.dropFirst(addition.count)
      guard
        let close = list.firstIndex(where: { character in
          if character == "<" { depth += 1 }
          if character == ">" { depth -= 1 }
          return depth == 0
        }), list[close...].hasPrefix("> of ")
      else { break }
      rest = list[close...].dropFirst(5)
    }
    if rest.hasPrefix("(extension in "), let close = rest.firstIndex(of: ")"), rest[close...].hasPrefix("):") {
      rest = rest[close...].dropFirst(2)
    }
    return String(rest)
  }

  private static func owned(_ text: UnsafeMutablePointer<CChar>?) -> String? {
    guard let text else { return nil }
    defer { free(text) }
    return String(cString: text)
  }
}
