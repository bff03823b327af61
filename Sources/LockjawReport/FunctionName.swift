/// A demangled function name, and the shorter forms of it that people and signatures need.
///
/// Works on text alone, whatever the language: C++ `void Bank::transfer<int>(Account&)`, Rust
/// `<bank::Account as core::ops::Drop>::drop`, Swift `closure #1 () -> () in bank.audit() -> ()`, C `audit`.
package struct FunctionName {
  package let full: String
  package init(_ full: String) { self.full = full }

  /// For a line of its own: complete while it fits, with parentheses so that it reads as a function.
  package func shown(limit: Int = 72) -> String {
    Printable.shortened(full.utf8.contains(UInt8(ascii: "(")) ? full : full + "()", to: limit)
  }

  /// For a sentence: the name without parameters, template arguments and hash, and `()` behind it.
  package func short(limit: Int = 48) -> String {
    let bare = Self.withoutGroups(Self.withoutHash(full))
    return Printable.shortened(bare.isEmpty ? full : bare, to: limit - 2) + "()"
  }

  /// The same for every build of the same source: what a signature may hash.
  package var normalised: String {
    var name = Self.withoutCloneSuffixes(full)
    name = Self.withPlainImplementations(Self.withoutNumbers(Self.withoutGroups(Self.withoutHash(name))))
    return name.isEmpty ? full : name
  }

  // MARK: - The steps

  /// Drops what the optimiser appends to a symbol it cloned or split: `.isra.0`, `.constprop.1`, `.part.2`, `.cold`,
  /// `.llvm.1234`, `[clone .isra.0]` (GCC's and LLVM's). Words that could be a Swift method's name are not in the list.
  static func withoutCloneSuffixes(_ name: String) -> String {
    var name = Substring(name)
    while name.hasSuffix("]"), let open = name.range(of: " [clone ") { name = name[..<open] }
    while let dot = name.lastIndex(of: "."), dot > name.startIndex {
      let suffix = name[name.index(after: dot)...]
      let isCount = !suffix.isEmpty && suffix.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
      guard isCount || cloneWords.contains(String(suffix)) else { break }
      name = name[..<dot]
    }
    return String(name)
  }

  private static let cloneWords: Set<String> = [
    "isra", "constprop", "part", "cold", "llvm", "lto_priv", "localalias", "__uniq",
  ]

  /// Drops Rust's legacy hash, `::h` and sixteen hexadecimal digits at the end.
  static func withoutHash(_ name: String) -> String {
    let tail = Array(name.utf8.suffix(19))
    guard tail.count == 19, Array(tail.prefix(3)) == Array("::h".utf8), tail.dropFirst(3).allSatisfy(isLowerHex)
    else { return name }
    return String(name.dropLast(19))
  }

  private static func isLowerHex(_ byte: UInt8) -> Bool {
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66)
  }

  /// Drops the numbers the compiler gives to nameless things: `{lambda(int)#2}`, `{closure#0}`, `closure #1`,
  /// `{unnamed type#3}`, Clang's `$_0`; `{{closure}}` and `{closure}` become one.
  static func withoutNumbers(_ name: String) -> String {
    var result: [UInt8] = []
    var digitsFollow = false
    for byte in name.utf8 {
      if byte == UInt8(ascii: "#") {
        digitsFollow = true
        while result.last == 0x20 { result.removeLast() }
        continue
      }
      if digitsFollow, byte >= 0x30 && byte <= 0x39 { continue }
      digitsFollow = byte == UInt8(ascii: "_") && result.last == UInt8(ascii: "$")
      // One brace is as good as two: legacy and v0 mangling differ in nothing else here.
      if byte == result.last && (byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}")) { continue }
      result.append(byte)
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// Drops parameter lists, template and generic arguments, and a C++ return type.
  ///
  /// A Rust qualified path (`<T as Trait>::method`, `<impl Trait for T>`) opens with `<` where a name should begin:
  /// it *is* the name, so its inside stays, without the arguments nested in it. An unbalanced name comes back as it is.
  static func withoutGroups(_ name: String) -> String {
    let bytes = Array(name.utf8)
    var result: [UInt8] = []
    var closers: [(closer: UInt8, keeps: Bool)] = []
    var index = 0
    var isKeeping: Bool { closers.allSatisfy(\.keeps) }
    while index < bytes.count {
      let byte = bytes[index]
      if let length = operatorLength(bytes, at: index) {
        if isKeeping { result += bytes[index..<index + length] }
        index += length
        continue
      }
      let isArrow = byte == UInt8(ascii: ">") && index > 0 && bytes[index - 1] == UInt8(ascii: "-")
      switch byte {
      case UInt8(ascii: "<"):
        let beginsName = result.isEmpty || (result.last == UInt8(ascii: ":") && isQualifiedPath(bytes, at: index))
        let keeps =
          isKeeping
          && (beginsName || !closers.isEmpty && (result.last == UInt8(ascii: " ") || result.last == UInt8(ascii: "<")))
        if keeps { result.append(byte) }
        closers.append((UInt8(ascii: ">"), keeps))
      case UInt8(ascii: "("):
        let isName = bytes[index...].starts(with: Array("(anonymous namespace)".utf8))
        if isName && isKeeping { result.append(byte) }
        closers.append((UInt8(ascii: ")"), isName))
      case UInt8(ascii: ">") where !isArrow, UInt8(ascii: ")"):
        guard let top = closers.last, top.closer == byte else { return name }
        if isKeeping { result.append(byte) }
        closers.removeLast()
      default:
        if isKeeping { result.append(byte) }
      }
      index += 1
    }
    guard closers.isEmpty else { return name }
    return withoutReturnType(collapsed(String(decoding: result, as: UTF8.self)))
  }

  /// Rust's two manglings write an implementation's functions differently (RFC 2603, "Rationale"): legacy has `bank::Account::audit`,
  /// `bank::<impl Audit for Account>::audit` where the function's module tells, v0 `<bank::Account>::audit` and
  /// `<Account as Audit>::audit`. As the shorter of each pair; and what a dropped `::<…>` leaves behind goes, too.
  static func withPlainImplementations(_ name: String) -> String {
    var name = name
    if let start = name.range(of: "<impl "), let end = closer(of: start, in: name) {
      let inside = name[name.index(start, offsetBy: 6)..<end]
      let type: String
      if let word = inside.range(of: " for ") {
        type = "<\(inside[inside.index(word, offsetBy: 5)...]) as \(inside[..<word])>"
      } else {
        type = String(inside)
      }
      name = type + name[name.index(after: end)...]
    }
    if name.hasPrefix("<"), let end = closer(of: name.startIndex, in: name) {
      let inside = name[name.index(after: name.startIndex)..<end]
      if inside.range(of: " as ") == nil { name = String(inside) + name[name.index(after: end)...] }
    }
    while let double = name.range(of: "::::") { name.removeSubrange(double..<name.index(double, offsetBy: 2)) }
    return name.hasSuffix("::") ? String(name.dropLast(2)) : name
  }

  /// The `>` that closes the `<` at `open`.
  private static func closer(of open: String.Index, in name: String) -> String.Index? {
    var depth = 0
    for index in name[open...].indices {
      if name[index] == "<" { depth += 1 }
      if name[index] == ">" {
        depth -= 1
        if depth == 0 { return index }
      }
    }
    return nil
  }

  /// `<impl …` or `<… as …>` at `start`; anything else behind `::` is a turbofish.
  private static func isQualifiedPath(_ bytes: [UInt8], at start: Int) -> Bool {
    var depth = 0
    var index = start
    if bytes[start...].starts(with: Array("<impl ".utf8)) { return true }
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "<") { depth += 1 }
      if bytes[index] == UInt8(ascii: ">"), bytes[index - 1] != UInt8(ascii: "-") {
        depth -= 1
        if depth == 0 { return false }
      }
      if depth == 1, bytes[index...].starts(with: Array(" as ".utf8)) { return true }
      index += 1
    }
    return false
  }

  /// Length of `operator<<`, `operator()`, `operator->` … at `index`: brackets in them open nothing.
  private static func operatorLength(_ bytes: [UInt8], at index: Int) -> Int? {
    let word = Array("operator".utf8)
    guard bytes[index...].starts(with: word) else { return nil }
    for sign in ["()", "<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "<", ">"]
    where bytes[(index + word.count)...].starts(with: Array(sign.utf8)) {
      return word.count + sign.utf8.count
    }
    return nil
  }

  /// The demangler writes a return type before a C++ template function: `void run<int>(int)`. Only a single plain
  /// word before a qualified or plain name is one; Swift's and Rust's names use spaces in other ways.
  private static func withoutReturnType(_ name: String) -> String {
    let words = name.split(separator: " ", omittingEmptySubsequences: true)
    guard words.count >= 2, !name.contains("operator"), !name.contains("<"), !name.contains(" in "),
      !name.contains("{"), !name.contains("("), let last = words.last
    else { return name }
    let qualifiers: Set<Substring> = ["const", "volatile", "&", "&&", "noexcept"]
    let kept = words.filter { !qualifiers.contains($0) }
    guard let function = kept.last, kept.dropLast().allSatisfy({ isTypeWord($0) }) else { return String(last) }
    return String(function)
  }

  private static func isTypeWord(_ word: Substring) -> Bool {
    word.utf8.allSatisfy {
      ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x41 && $0 <= 0x5a) || ($0 >= 0x61 && $0 <= 0x7a) || $0 == 0x5f
        || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "&")
    }
  }

  private static func collapsed(_ name: String) -> String {
    var words = name.split(separator: " ", omittingEmptySubsequences: true)
    // Swift's result type: what stands behind the arrow describes a type, not the function.
    while let arrow = words.lastIndex(of: "->") {
      let hasType = arrow + 1 < words.count && words[arrow + 1] != "in"
      words.removeSubrange(arrow...(hasType ? arrow + 1 : arrow))
    }
    words.removeAll { $0 == "async" || $0 == "throws" }
    return words.joined(separator: " ")
  }
}

extension StringProtocol where SubSequence == Substring {
  /// First place where `needle` stands; the standard library has no substring search without Foundation.
  func range(of needle: String) -> Index? {
    guard let first = needle.first else { return startIndex }
    var start = startIndex
    while let found = self[start...].firstIndex(of: first) {
      if self[found...].hasPrefix(needle) { return found }
      start = index(after: found)
    }
    return nil
  }
}
