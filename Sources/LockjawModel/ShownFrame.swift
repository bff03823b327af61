extension Frame {
  /// Code of the preloaded library.
  package var isOfShim: Bool { module.hasPrefix("liblockjaw") }

  /// The same place, reached through a function without unwind tables.
  package var beyondTables: Frame {
    var frame = self
    frame.isBeyondTables = true
    return frame
  }
}

extension [Frame] {
  /// The frame that says most of a stack, innermost first: the program's own; in a stack without one whoever called the
  /// preloaded library, which itself tells nobody anything.
  package var shown: Frame? {
    first { !$0.isPlumbing } ?? drop { !$0.isOfShim }.first { !$0.isOfShim } ?? first
  }
}
