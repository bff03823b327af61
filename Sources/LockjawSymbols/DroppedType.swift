import LockjawModel

/// The type whose end a function is: `RwLockReadGuard` of `core::ptr::drop_in_place<…::RwLockReadGuard<u8>>` and of
/// `<…::RwLockReadGuard<u8> as core::ops::drop::Drop>::drop`, `shared_lock` of `std::shared_lock<…>::~shared_lock()`.
///
/// Names come from the debug information of a process or a file: anything may stand in them.
package enum DroppedType {
  /// The innermost type that is at its end in `frames`, innermost first; `nil` where none is.
  package static func innermost(in frames: some Sequence<Frame>) -> String? {
    for frame in frames {
      if let type = frame.function.flatMap(named) { return type }
    }
    return nil
  }

  /// - Parameter function: demangled.
  /// - Returns: without its path and its arguments; `nil` for any function that is no end of a type with a name.
  package static func named(by function: String) -> String? {
    rustDrop(function) ?? rustDropInPlace(function) ?? destructor(function)
  }

  // MARK: Rust

  private static func rustDrop(_ function: String) -> String? {
    guard function.hasPrefix("<"), let end = function.firstRange(of: " as core::ops::drop::Drop>::drop") else {
      return nil
    }
    return lastName(function[function.index(after: function.startIndex)..<end.lowerBound])
  }

  private static func rustDropInPlace(_ function: String) -> String? {
    for prefix in ["core::ptr::drop_in_place<", "core::ptr::drop_in_place::<"] where function.hasPrefix(prefix) {
      guard let type = lastName(function.dropFirst(prefix.count)) else { return nil }
      // What is in these is dropped by a function of its own, or is not known.
      return wrappers.contains(type) ? nil : type
    }
    return nil
  }

  private static let wrappers: Set<String> = ["Option", "Result", "PoisonError", "Box", "Vec", "Arc", "Rc"]

  /// `RwLockReadGuard` of `std::sync::RwLockReadGuard<…`: the last word of the path at the beginning of `text`.
  private static func lastName(_ text: Substring) -> String? {
    let path = text.prefix { isNameCharacter($0) || $0 == ":" }
    let behind = text[path.endIndex...].first
    guard behind == nil || behind == "<" || behind == ">" else { return nil }
    // `Guard::<T>` is how newer names write arguments.
    return path.split(separator: ":").last.flatMap { nameLike($0) }
  }

  // MARK: C++

  private static func destructor(_ function: String) -> String? {
    guard let tilde = function.firstRange(of: "::~") else { return nil }
    let rest = function[tilde.upperBound...]
    let name = rest.prefix { isNameCharacter($0) }
    // `a::~b(…)`, and not one in the arguments of something else.
    let before = function[..<tilde.lowerBound]
    let depth = before.reduce(0) { $0 + ($1 == "<" || $1 == "(" ? 1 : $1 == ">" || $1 == ")" ? -1 : 0) }
    guard depth == 0, "(<[".contains(rest[name.endIndex...].first ?? "(") else { return nil }
    return nameLike(name)
  }

  private static func nameLike(_ name: Substring) -> String? {
    guard let first = name.first, first == "_" || first.isLetter, name.utf8.count <= longestName else { return nil }
    return String(name)
  }

  private static func isNameCharacter(_ character: Character) -> Bool {
    character == "_" || character.isLetter || character.isNumber
  }

  private static let longestName = 80
}
