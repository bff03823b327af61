extension Truth {
  /// Reads the `lockjaw:` comments of a sample's source.
  init(parsing source: String) throws(TruthError) {
    var header: (line: Int, statement: Statement)?
    var body: [(line: Int, statement: Statement)] = []
    for (index, text) in source.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let line = index + 1
      for words in Self.statements(in: text) {
        let statement = try Statement(words: words, line: line)
        if statement.verb != nil {
          body.append((line, statement))
        } else if let first = header {
          throw TruthError(line: line, reason: "a second verdict; the first is on line \(first.line)")
        } else {
          header = (line, statement)
        }
      }
    }
    guard let header else { throw TruthError(line: 1, reason: "no `lockjaw: verdict=…` comment") }
    self = try Truth(header: header.statement, line: header.line)
    for (line, statement) in body { try add(statement, line: line) }
    try checkCounts(line: header.line)
  }

  /// The statements of one source line: what follows `// lockjaw:` or `# lockjaw:`, split at semicolons, as words.
  private static func statements(in text: Substring) -> [[Substring]] {
    for marker in ["// lockjaw:", "# lockjaw:"] {
      guard let range = text.firstRange(of: marker) else { continue }
      return text[range.upperBound...].split(separator: ";").map { $0.split(separator: " ") }.filter { !$0.isEmpty }
    }
    return []
  }

  private init(header: Statement, line: Int) throws(TruthError) {
    try header.require(
      keys: [
        "verdict", "grows-from", "certainty", "threads", "bystanders", "ends", "frames", "edition", "processes",
        "sleeps",
      ],
      line: line)
    let verdict = try header.value("verdict", line: line)
    verdicts = verdict == "any" ? [] : Set(verdict.split(separator: "|").map(String.init))
    precursors = Set((header.options["grows-from"] ?? "").split(separator: "|").map(String.init))
    certainties = Set((header.options["certainty"] ?? "").split(separator: "|").map(String.init))
    threadCount = try header.number("threads", line: line)
    bystanderCount = try header.number("bystanders", line: line)
    processCount = try header.number("processes", line: line) ?? 1
    switch header.options["ends"] {
    case nil: ending = .never
    case "exit": ending = .exit
    case "SIGILL": ending = .signal(4)
    case let other?: throw TruthError(line: line, reason: "ends=\(other): known are exit and SIGILL")
    }
    switch header.options["sleeps"] {
    case nil: sleepsAreRenewed = false
    case "renewed": sleepsAreRenewed = true
    case let other?: throw TruthError(line: line, reason: "sleeps=\(other): known is renewed")
    }
    switch header.options["frames"] {
    case nil: hasNativeLines = true
    case "interpreter": hasNativeLines = false
    case let other?: throw TruthError(line: line, reason: "frames=\(other): known is interpreter")
    }
  }

  private mutating func add(_ statement: Statement, line: Int) throws(TruthError) {
    let threads = try statement.list("thread", line: line)
    switch statement.verb {
    case "holds":
      try statement.require(keys: ["thread", "mode"], line: line)
      for (lock, thread) in try statement.objects(for: threads, line: line) {
        holds.append(Hold(lock: lock, thread: thread, mode: statement.options["mode"], line: line))
      }
    case "waits":
      try statement.require(keys: ["thread", "mode", "behind"], line: line)
      for (lock, thread) in try statement.objects(for: threads, line: line) {
        waits.append(
          Wait(
            target: .lock(lock), thread: thread, mode: statement.options["mode"],
            behind: statement.options["behind"], line: line))
      }
    case "releases":
      try statement.require(keys: ["thread", "guard"], line: line)
      let type = try statement.value("guard", line: line)
      for (lock, thread) in try statement.objects(for: threads, line: line) {
        releases.append(Release(lock: lock, thread: thread, guardType: type, line: line))
      }
    case "joins", "awaits":
      try statement.require(keys: ["thread"], line: line)
      for (joined, thread) in try statement.objects(for: threads, line: line) {
        waits.append(Wait(target: .joined(thread: joined), thread: thread, line: line))
      }
    case "bystander":
      try statement.require(keys: ["thread"], line: line)
      bystanders += threads.map { Place(thread: $0, line: line) }
    case "refused":
      try statement.require(keys: ["thread"], line: line)
      refusals += threads.map { Place(thread: $0, line: line) }
    default:
      let known = "holds, waits, releases, joins, awaits, bystander and refused"
      throw TruthError(line: line, reason: "unknown statement \(statement.verb ?? ""); known are \(known)")
    }
  }

  /// The header's numbers say again what the lines say, so that a line that is lost in an edit is noticed.
  private func checkCounts(line: Int) throws(TruthError) {
    for release in releases where !holds.contains(where: { $0.lock == release.lock && $0.thread == release.thread }) {
      throw TruthError(line: release.line, reason: "\(release.thread) does not hold \(release.lock)")
    }
    let waiters = Set(waits.map(\.thread)).count
    if let threadCount, threadCount != waiters {
      throw TruthError(line: line, reason: "threads=\(threadCount), but \(waiters) threads wait")
    }
    if let bystanderCount, bystanderCount != bystanders.count {
      throw TruthError(line: line, reason: "bystanders=\(bystanderCount), but \(bystanders.count) are marked")
    }
    // That nobody holds it is what a phantom lock is, and a lost wake-up; and nobody holds an event.
    let mayLackHolders = !verdicts.isDisjoint(with: ["phantom-lock", "lost-wakeup", "hang-unknown"])
    for wait in waits where !mayLackHolders && holders(for: wait).isEmpty {
      throw TruthError(line: wait.line, reason: "nobody holds what \(wait.thread) waits for")
    }
  }
}

/// One statement: an optional verb with its object, then `key=value` options.
private struct Statement {
  var verb: String?
  var object: String?
  var options: [String: String] = [:]

  init(words: [Substring], line: Int) throws(TruthError) {
    var bare: [String] = []
    for word in words {
      guard let equals = word.firstIndex(of: "=") else {
        bare.append(String(word))
        continue
      }
      let key = String(word[..<equals])
      guard options.updateValue(String(word[word.index(after: equals)...]), forKey: key) == nil else {
        throw TruthError(line: line, reason: "\(key) is given twice")
      }
    }
    (verb, object) = (bare.first, bare.dropFirst().first)
    guard bare.count <= 2 else { throw TruthError(line: line, reason: "too many words: \(bare)") }
  }

  func require(keys: Set<String>, line: Int) throws(TruthError) {
    for key in options.keys where !keys.contains(key) {
      throw TruthError(line: line, reason: "unknown option \(key); known are \(keys.sorted().joined(separator: ", "))")
    }
  }

  func value(_ key: String, line: Int) throws(TruthError) -> String {
    guard let value = options[key], !value.isEmpty else { throw TruthError(line: line, reason: "no \(key)=") }
    return value
  }

  func list(_ key: String, line: Int) throws(TruthError) -> [String] {
    try value(key, line: line).split(separator: ",").map(String.init)
  }

  func number(_ key: String, line: Int) throws(TruthError) -> Int? {
    guard let text = options[key] else { return nil }
    guard let number = Int(text) else { throw TruthError(line: line, reason: "\(key)=\(text) is no number") }
    return number
  }

  /// Pairs the statement's objects with `threads`: one for all of them, or one each.
  func objects(for threads: [String], line: Int) throws(TruthError) -> [(String, String)] {
    let objects = object?.split(separator: ",").map(String.init) ?? []
    if objects.count == 1 { return threads.map { (objects[0], $0) } }
    guard objects.count == threads.count else {
      throw TruthError(line: line, reason: "\(objects.count) objects for \(threads.count) threads")
    }
    return Array(zip(objects, threads))
  }
}
