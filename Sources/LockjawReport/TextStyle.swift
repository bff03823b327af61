/// Whether a text report is coloured. The characters are the same either way: colour repeats what the words say.
package enum TextStyle: Hashable, Sendable {
  case plain
  /// SGR escape sequences, for a terminal.
  case ansi

  /// `text` as this style shows something of that role.
  func paint(_ text: String, as role: Role) -> String {
    guard self == .ansi, !text.isEmpty, let code = role.code else { return text }
    return "\u{1b}[\(code)m\(text)\u{1b}[0m"
  }
}

/// What a piece of text is, which decides its colour.
enum Role: Hashable, Sendable {
  case plain
  /// Headings and labels that open a section.
  case heading
  /// A verdict the process does not recover from.
  case danger
  /// A verdict of slowness, or one that is not sure.
  case warning
  case good
  case thread
  case lock
  case function
  /// Quoted source text.
  case source
  /// What most readers skip: plumbing, labels, rulers.
  case dim

  /// SGR parameters. The sixteen basic colours only: they follow the reader's own theme, dark or light.
  var code: String? {
    switch self {
    case .plain: nil
    case .heading: "1"
    case .danger: "1;31"
    case .warning: "1;33"
    case .good: "1;32"
    case .thread: "36"
    case .lock: "35"
    case .function: "1"
    case .source: "33"
    case .dim: "2"
    }
  }
}
