/// Writes JSON as a stream of bytes.
///
/// Own code, where `JSONEncoder` would do the job, for three things it cannot: the contract's key order (people open
/// these files, and `schema` and `verdict` come first), one FRAME per line (a report of 1,000 threads is 20,000
/// lines, not 160,000), and no intermediate tree (that report is written in milliseconds, inside a hang). Reading is
/// left to the library: `ReportDocument.decode`.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  /// Nesting of containers that put each member on a line of its own.
  private var depth = 0
  /// Inside a container that stays on one line.
  private var isInline = false
  private var needsComma = false

  // MARK: - Containers

  mutating func object(inline: Bool = false, _ body: (inout JSONWriter) -> Void) {
    container("{", "}", inline: inline, body)
  }

  mutating func array<Element>(
    _ elements: some Sequence<Element>, inline: Bool = false, _ each: (inout JSONWriter, Element) -> Void
  ) {
    container("[", "]", inline: inline) { writer in
      for element in elements {
        writer.beginMember()
        each(&writer, element)
      }
    }
  }

  private mutating func container(
    _ open: Character, _ close: Character, inline: Bool, _ body: (inout JSONWriter) -> Void
  ) {
    let outerInline = isInline
    isInline = isInline || inline
    append(open)
    needsComma = false
    if !isInline { depth += 1 }
    body(&self)
    if !isInline {
      depth -= 1
      if needsComma { newline() }
    }
    append(close)
    isInline = outerInline
    needsComma = true
  }

  /// The comma and line break before an element or a key.
  mutating func beginMember() {
    if needsComma { append(",") }
    if isInline {
      if needsComma { append(" ") }
    } else {
      newline()
    }
    needsComma = true
  }

  mutating func key(_ name: String) {
    beginMember()
    string(name)
    append(":")
    append(" ")
  }

  // MARK: - Scalars

  mutating func null() { bytes.append(contentsOf: "null".utf8) }
  mutating func bool(_ value: Bool) { bytes.append(contentsOf: (value ? "true" : "false").utf8) }
  mutating func number(_ value: some BinaryInteger) { bytes.append(contentsOf: String(value).utf8) }

  /// The shortest text that reads back as the same number. JSON has no NaN and no infinity: they become null.
  mutating func number(_ value: Double) {
    if value.isFinite { bytes.append(contentsOf: value.description.utf8) } else { null() }
  }

  mutating func string(_ value: String) {
    append("\"")
    var value = value
    let isPlain = value.withUTF8 { utf8 -> Bool in
      let plain = utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
      if plain { bytes.append(contentsOf: utf8) }
      return plain
    }
    if !isPlain {
      for scalar in value.unicodeScalars { self.scalar(scalar) }
    }
    append("\"")
  }

  /// Everything a terminal might obey is escaped, more than JSON asks for: these files get `cat`ed.
  private mutating func scalar(_ scalar: Unicode.Scalar) {
    switch scalar {
    case "\"": bytes.append(contentsOf: "\\\"".utf8)
    case "\\": bytes.append(contentsOf: "\\\\".utf8)
    case "\n": bytes.append(contentsOf: "\\n".utf8)
    case "\t": bytes.append(contentsOf: "\\t".utf8)
    case " ": append(" ")
    case _ where Printable.mustBeSpelledOut(scalar):
      for unit in scalar.utf16 { escape(unit) }
    default: bytes.append(contentsOf: scalar.utf8)
    }
  }

  private mutating func escape(_ unit: UInt16) {
    let digits = String(unit, radix: 16)
    bytes.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8)
  }

  private mutating func newline() {
    append("\n")
    for _ in 0..<depth { bytes += [0x20, 0x20] }
  }

  private mutating func append(_ character: Character) { bytes.append(contentsOf: character.utf8) }
}

/// Members of the object that is being written; their names are the cases of an enumeration.
extension JSONWriter {
  mutating func put(_ key: some RawRepresentable<String>, _ value: String) {
    self.key(key.rawValue)
    string(value)
  }
  /// Absent where it is not known.
  mutating func putIfKnown(_ key: some RawRepresentable<String>, _ value: String?) {
    if let value { put(key, value) }
  }
  mutating func put(_ key: some RawRepresentable<String>, _ value: some BinaryInteger) {
    self.key(key.rawValue)
    number(value)
  }
  mutating func put(_ key: some RawRepresentable<String>, _ value: Double) {
    self.key(key.rawValue)
    number(value)
  }
  mutating func put(_ key: some RawRepresentable<String>, _ value: Bool) {
    self.key(key.rawValue)
    bool(value)
  }
  mutating func put(_ key: some RawRepresentable<String>, _ value: (inout JSONWriter) -> Void) {
    self.key(key.rawValue)
    value(&self)
  }
}
