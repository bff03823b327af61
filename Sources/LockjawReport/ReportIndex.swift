import LockjawModel

/// A report with its cross-references resolved, and the one way each thread, lock and frame is written.
///
/// A report may come from a damaged arena or another tool: ids may dangle or repeat. A dangling id is shown as
/// itself; of two entries with one id the first counts.
struct ReportIndex {
  let report: Report
  private let threads: [ThreadID: ThreadReport]
  private let locks: [String: LockReport]
  private let lockIDs: [Address: String]
  private let nameCounts: [String: Int]

  init(_ report: Report) {
    self.report = report
    threads = Dictionary(report.threads.map { ($0.tid, $0) }, uniquingKeysWith: { first, _ in first })
    locks = Dictionary(report.locks.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    lockIDs = Dictionary(report.locks.map { ($0.address, $0.id) }, uniquingKeysWith: { first, _ in first })
    nameCounts = Dictionary(report.threads.map { ($0.name, 1) }, uniquingKeysWith: +)
  }

  func thread(_ tid: ThreadID) -> ThreadReport? { threads[tid] }
  func lock(_ id: String) -> LockReport? { locks[id] }
  func lockID(at address: Address) -> String? { lockIDs[address] }

  /// What the edge's waiter waits for; `nil` where the report does not list the lock.
  func lockType(of edge: Edge) -> LockType? {
    if let lock = locks[edge.lock] { return lock.type }
    // A thread's end is no lock, and the diagnosis room does not list it as one: it names it.
    return edge.lock.hasPrefix("end of thread ") ? .join : nil
  }
  func isJoin(_ edge: Edge) -> Bool { lockType(of: edge) == .join }
  /// It waits for somebody's end, not for something that somebody has.
  func awaitsEnd(_ edge: Edge) -> Bool { isJoin(edge) || lockType(of: edge) == .child }

  // MARK: - Threads

  /// `4711 "alice"`; the number alone where the thread has no name or is not in the report; `4711 "alice" of process 4700`
  /// where it is another process'.
  func name(_ tid: ThreadID) -> String {
    Self.name(tid, threads[tid]?.name ?? "") + (threads[tid]?.process.map { " of process \($0)" } ?? "")
  }

  static func name(_ tid: ThreadID, _ name: String) -> String {
    name.isEmpty ? "\(tid)" : "\(tid) \"\(Printable.shortened(Printable.escaped(name), to: 32))\""
  }

  /// `alice` where that names one thread of the report, `4711` otherwise: for a second mention in a sentence.
  func shortName(_ tid: ThreadID) -> String {
    guard let name = threads[tid]?.name, !name.isEmpty, nameCounts[name] == 1 else { return "\(tid)" }
    return Printable.shortened(Printable.escaped(name), to: 32)
  }

  /// `4711 "alice", 4712 "bob" and 3 more`.
  func names(_ tids: [ThreadID], limit: Int = 8) -> String {
    Self.list(tids.map(name), limit: limit)
  }

  /// `a`, `a and b`, `a, b and c`, `a, b and 3 more`.
  static func list(_ items: [String], limit: Int = .max) -> String {
    var shown = items.count > limit ? Array(items.prefix(limit)) + ["\(items.count - limit) more"] : items
    guard shown.count > 1, let last = shown.popLast() else { return shown.first ?? "" }
    return shown.joined(separator: ", ") + " and " + last
  }

  // MARK: - Locks

  /// `L1 rwlock 0x55d0c0de4080 "table" (parking_lot)`; glibc, the usual case, is not said.
  func lockInFull(_ id: String) -> String {
    guard let lock = locks[id] else { return id }
    var words = "\(lock.id) \(lock.type.rawValue)" + (lock.type.isKernelObject ? "" : " \(lock.address)")
    if let name = lock.name { words += " \"\(Printable.shortened(name, to: 48))\"" }
    if let process = lock.process { words += " of process \(process)" }
    if !lock.library.isEmpty, lock.library != "glibc", !lock.type.isKernelObject {
      words += lock.library.contains("(") ? ", \(lock.library)" : " (\(lock.library))"
    }
    return words
  }

  /// `L1 "bank_mutex"`, or `L1`: in a sentence.
  func lockInBrief(_ id: String) -> String {
    guard let name = locks[id]?.name else { return id }
    return "\(id) \"\(Printable.shortened(Printable.escaped(name), to: 32))\""
  }

  /// The 12 of "L12"; ids are sorted as people count.
  static func number(_ id: String) -> Int { Int(id.drop { !$0.isNumber }) ?? 0 }
  /// L2 before L10; by spelling where the numbers are equal, so that the order is total.
  static func isOrdered(_ a: String, _ b: String) -> Bool { (number(a), a) < (number(b), b) }

  // MARK: - Frames

  /// ` in transfer() (bank.c:31)` with its leading blank; empty where there is no frame. Directories are left to
  /// the details below the sentence.
  static func place(_ frame: Frame?, word: String = "in") -> String {
    guard let frame else { return "" }
    return " \(word) \(subject(frame))\(location(frame).map { " (\($0))" } ?? "")"
  }

  /// `transfer()`, or module and offset.
  static func subject(_ frame: Frame) -> String {
    frame.function.map { Printable.escaped(FunctionName($0).short()) } ?? moduleOffset(frame)
  }

  /// `bank.c:31`, else the module of a function without line; `nil` where `subject` says it all.
  static func location(_ frame: Frame) -> String? {
    if let file = frame.file { return Printable.escaped(baseName(file) + (frame.line.map { ":\($0)" } ?? "")) }
    return frame.function == nil ? nil : Printable.escaped(frame.module)
  }

  /// The shortest text that finds the place: `bank.c:31`, else `transfer()`, else module and offset.
  static func spot(_ frame: Frame) -> String {
    frame.file == nil ? subject(frame) : location(frame) ?? subject(frame)
  }

  static func moduleOffset(_ frame: Frame) -> String {
    Printable.escaped(frame.module) + "+0x" + String(frame.offset, radix: 16)
  }

  static func baseName(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return path }
    let name = path[path.index(after: slash)...]
    return name.isEmpty ? path : String(name)
  }

  /// Where a frame is, for a line of its own: function, then the whole path, which is never broken.
  static func spans(_ frame: Frame, dim: Bool = false) -> [Span] {
    guard let function = frame.function else {
      return [Span(moduleOffset(frame), dim ? .dim : .function, whole: true)]
    }
    let name = Span(FunctionName(function).shown(), dim ? .dim : .function, whole: true)
    guard let file = frame.file else {
      return [name, Span(" "), Span("in " + moduleOffset(frame), .dim, whole: true)]
    }
    let location = file + (frame.line.map { ":\($0)" } ?? "")
    return [name, Span(" "), Span("at ", .dim, whole: true), Span(location, dim ? .dim : .plain, whole: true)]
  }
}
