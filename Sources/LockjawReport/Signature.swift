import LockjawModel

/// The name of a hang: equal for the same bug on every host, in every run and after every rebuild.
///
/// Hashes the verdict and, per edge, the lock's class, the mode and the waiter's innermost functions. Addresses, lines, thread
/// ids, template arguments, hashes and clone suffixes are left out. So is what depends on how the process is looked at: certainty,
/// where a lock was acquired or initialised. The same hang may be proven on one host, where the library is preloaded, and inferred on
/// another.
package enum Signature {
  /// `LJ1-` and 13 letters and digits, of the report's most serious finding; of the verdict alone without one.
  ///
  /// O(edges² · depth) for a ring, which is short; threads are looked up once.
  package static func of(_ report: Report) -> String {
    var hash = StableHash()
    let index = ReportIndex(report)
    if let finding = report.findingsBySeverity.first {
      hash.feed(finding.kind.rawValue)
      if let beat = finding.heartbeat { hash.feed(beat.name) }
      for part in canonical(finding, index) { hash.feed(part) }
    } else {
      hash.feed(report.verdict.rawValue)
      // A hang without an edge is told apart by where its threads are; anything else needs no telling apart.
      if report.verdict.isHang {
        let places = Set(report.threads.map { functions(of: $0.stack, or: nil).joined(separator: "<") })
        for place in places.sorted() { hash.feed(place) }
      }
    }
    return "LJ1-" + hash.base32
  }

  /// How many functions of the waiter count: the one that waits and three above it.
  static let depth = 4

  /// The edges as text, in an order that does not depend on where the cycle was entered.
  static func canonical(_ finding: Finding, _ index: ReportIndex) -> [String] {
    let parts = finding.edges.map { text(of: $0, index) }
    switch EdgeShape(finding.edges) {
    case .cycle:
      // Rotated to the smallest edge; where several are equal, to the smallest rotation as a whole.
      let start = leastRotation(parts)
      return Array(parts[start...] + parts[..<start])
    case .star:
      // How many threads pile up behind a lock differs from host to host; which code they run does not.
      return Set(parts).sorted()
    }
  }

  /// Where the smallest of a list's rotations begins. Two candidates are compared as far as they are equal; the loser is
  /// passed over with all that was equal behind it (Shiloach 1981). Linear: a cycle can have as many edges as threads.
  private static func leastRotation(_ parts: [String]) -> Int {
    let count = parts.count
    var (one, other, equal) = (0, 1, 0)
    while one < count, other < count, equal < count {
      let (a, b) = (parts[(one + equal) % count], parts[(other + equal) % count])
      if a == b {
        equal += 1
        continue
      }
      if a > b { one += equal + 1 } else { other += equal + 1 }
      if one == other { other += 1 }
      equal = 0
    }
    return min(one, other)
  }

  private static func text(of edge: Edge, _ index: ReportIndex) -> String {
    let waiter = functions(of: index.thread(edge.waiter)?.stack ?? [], or: edge.waitsAt)
    let lock = index.isJoin(edge) ? "join" : lockClass(edge.lock, index)
    return [lock, edge.mode.rawValue, waiter.joined(separator: "<")].joined(separator: "|")
  }

  /// Locks of one type are of one class; a global lock is its own.
  private static func lockClass(_ id: String, _ index: ReportIndex) -> String {
    guard let lock = index.lock(id) else { return "" }
    // Numbers of pipes and processes are chance, and so are paths of temporary files.
    if lock.type.isKernelObject { return lock.type.rawValue }
    return "\(lock.type.rawValue)/\(lock.library)/\(lock.name.map(normalisedSymbol) ?? "")"
  }

  /// From the frame that waits upwards, plumbing left out, and what lies beyond functions without unwind tables: of the same hang's
  /// arena that is not known.
  private static func functions(of stack: [Frame], or waitsAt: Frame?) -> [String] {
    let program = stack.prefix { !$0.isBeyondTables }.filter { !$0.isPlumbing }.map(name)
    // The stack begins below `waitsAt` where inner frames (a lock wrapper) were passed over to find it.
    let start = waitsAt.flatMap { program.firstIndex(of: name($0)) }
    if program.isEmpty || (waitsAt != nil && start == nil) {
      return Array(((waitsAt.map { [name($0)] } ?? []) + program).prefix(depth))
    }
    return Array(program[(start ?? 0)...].prefix(depth))
  }

  /// Without a symbol only the module is the same after a rebuild.
  private static func name(_ frame: Frame) -> String {
    frame.function.map { FunctionName($0).normalised } ?? "?" + ReportIndex.baseName(frame.module)
  }

  /// A global's symbol without `+40` (which element of an array is chance), `.1` (static locals) and a Rust hash.
  static func normalisedSymbol(_ symbol: String) -> String {
    let base = symbol.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init)
    let plain = FunctionName.withoutCloneSuffixes(FunctionName.withoutHash(base ?? symbol))
    return plain.isEmpty ? symbol : plain
  }
}
