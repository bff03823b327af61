/// A piece of text of one role. Nothing reaches a text report except through a span, and no span holds a
/// character a terminal would obey: this is the one place that has to be right.
struct Span: Hashable, Sendable {
  let text: String
  let role: Role
  /// Never broken across lines, spaces or not: paths, quoted source.
  let isWhole: Bool

  init(_ text: String, _ role: Role = .plain, whole: Bool = false) {
    self.text = Printable.escaped(text)
    self.role = role
    self.isWhole = whole
  }

  /// Columns it takes on the screen. East Asian wide characters count as one: good enough for names.
  var width: Int { text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8.count : text.count }
}

extension Span {
  /// A sentence as spans: what stands between backticks is a command or code, and is never broken.
  static func sentence(_ text: String, _ role: Role = .plain) -> [Span] {
    let parts = text.split(separator: "`", omittingEmptySubsequences: false)
    guard parts.count % 2 == 1 else { return [Span(text, role)] }
    return parts.enumerated().map { position, part in
      position % 2 == 1 ? Span("`\(part)`", .function, whole: true) : Span(String(part), role)
    }
  }
}

extension [Span] {
  var width: Int { reduce(0) { $0 + $1.width } }
}

/// The text report while it grows: lines of at most `width` columns, broken between words only.
struct Page {
  let style: TextStyle
  let width: Int
  private(set) var text = ""

  init(style: TextStyle, width: Int = 100) {
    self.style = style
    self.width = width
  }

  /// An empty line, where there is none yet.
  mutating func blank() {
    // Never two empty lines in a row, nor one at the top: sections need not know their neighbours.
    if !text.isEmpty && !text.hasSuffix("\n\n") { text += "\n" }
  }

  /// The title of a section, set off by an empty line.
  mutating func heading(_ title: String) {
    blank()
    line([Span(title, .heading)])
  }

  /// One paragraph. The first line begins with `first`, the others with `rest`, or as many spaces.
  mutating func line(_ body: [Span], first: [Span] = [], rest: [Span]? = nil) {
    let rest = rest ?? [Span(String(repeating: " ", count: first.width))]
    var pending = first
    var column = first.width
    var lineIsEmpty = true
    for word in Self.words(of: body) {
      // A word that fits nowhere stands alone and sticks out: a path cut in two cannot be copied.
      if !lineIsEmpty && column + word.width > width {
        emit(pending)
        pending = rest
        column = rest.width
        lineIsEmpty = true
      }
      let spans = lineIsEmpty ? word.withoutLeadingSpaces : word.spans
      pending += spans
      column += spans.width
      lineIsEmpty = false
    }
    emit(pending)
  }

  /// Writes one line, without blanks at its end.
  private mutating func emit(_ spans: [Span]) {
    var spans = spans
    while let last = spans.last, last.text.allSatisfy({ $0 == " " }) { spans.removeLast() }
    if let last = spans.last, last.text.hasSuffix(" ") {
      spans[spans.count - 1] = Span(String(last.text.dropLast(while: { $0 == " " })), last.role)
    }
    for span in spans { text += style.paint(span.text, as: span.role) }
    text += "\n"
  }

  /// What may not be broken: a run of spans without a space between them, with the spaces before it.
  private struct Word {
    var spans: [Span] = []
    var width: Int { spans.width }
    var withoutLeadingSpaces: [Span] {
      guard let first = spans.first, first.text.hasPrefix(" "), !first.isWhole else { return spans }
      return [Span(String(first.text.drop(while: { $0 == " " })), first.role)] + spans.dropFirst()
    }
  }

  /// Cuts before blanks, outside of whole spans; what has no blank between it stays together across spans, so that
  /// a name in one colour and the comma behind it in another do not part.
  private static func words(of body: [Span]) -> [Word] {
    var words: [Word] = []
    var current = Word()
    func isOnlySpaces(_ word: Word) -> Bool {
      word.spans.allSatisfy { !$0.isWhole && $0.text.allSatisfy { $0 == " " } }
    }
    for span in body {
      guard !span.isWhole else {
        current.spans.append(span)
        continue
      }
      for piece in pieces(of: span.text) {
        if piece.hasPrefix(" ") && !isOnlySpaces(current) {
          words.append(current)
          current = Word()
        }
        current.spans.append(Span(String(piece), span.role))
      }
    }
    if !current.spans.isEmpty { words.append(current) }
    return words
  }

  /// `"a bc  d"` → `"a"`, `" bc"`, `"  d"`; a quoted name stays with the word before it: `4711 "alice"`.
  private static func pieces(of text: String) -> [Substring] {
    var pieces: [Substring] = []
    var start = text.startIndex
    var index = start
    var seenWord = false
    while index < text.endIndex {
      let isSpace = text[index] == " "
      let next = text.index(after: index)
      if isSpace && seenWord && (next == text.endIndex || text[next] != "\"") {
        pieces.append(text[start..<index])
        start = index
        seenWord = false
      } else if !isSpace {
        seenWord = true
      }
      index = next
    }
    if start < text.endIndex { pieces.append(text[start...]) }
    return pieces
  }
}

extension StringProtocol {
  /// Without the characters at its end that match.
  func dropLast(while matches: (Character) -> Bool) -> SubSequence {
    var end = endIndex
    while end > startIndex, matches(self[index(before: end)]) { end = index(before: end) }
    return self[startIndex..<end]
  }
}
