/// Makes text from another process safe to show.
///
/// Thread names, symbols, paths and command lines are chosen by the program under diagnosis. Written as they are
/// they could move the cursor, recolour the screen, or (bidirectional overrides, zero-width characters) make one
/// name look like another. Everything a terminal might obey is therefore spelled out.
package enum Printable {
  /// `text` with every control, format, separator and unassigned character written as `\x1b` or `\u{202e}`.
  ///
  /// Backslashes stay as they are, which makes the function idempotent: text may pass through it twice.
  package static func escaped(_ text: String) -> String {
    if isPlainASCII(text) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if mustBeSpelledOut(scalar) {
        result += spelledOut(scalar)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Whether a terminal or a text layout engine might obey `scalar` instead of showing it.
  static func mustBeSpelledOut(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: true
    case .spaceSeparator: scalar != " "
    default: false
    }
  }

  private static func spelledOut(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16)
    if scalar.value > 0xff { return "\\u{\(digits)}" }
    return "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
  }

  /// The common case, decided without decoding a single scalar.
  private static func isPlainASCII(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
  }

  /// `text` in at most `limit` characters; what is left out comes from the middle, because the two ends of a
  /// symbol or a path say the most.
  static func shortened(_ text: String, to limit: Int) -> String {
    if text.utf8.count <= limit || text.count <= limit { return text }
    guard limit > 1 else { return "…" }
    let tail = (limit - 1) / 2
    return String(text.prefix(limit - 1 - tail)) + "…" + String(text.suffix(tail))
  }
}
