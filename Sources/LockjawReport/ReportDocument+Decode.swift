import FoundationEssentials
import LockjawModel

/// Why a text is not a report this version can read.
package enum ReportDocumentError: Error, Hashable, Sendable, CustomStringConvertible {
  case notAReport(reason: String)
  case otherSchema(String)

  package var description: String {
    switch self {
    case .notAReport(let reason):
      "This is not a lockjaw JSON report: \(reason). Give a file written with --format json."
    case .otherSchema(let schema):
      "The report has schema \"\(Printable.escaped(schema))\"; this lockjaw reads \(Report.schema). "
        + "Use the lockjaw version that wrote it, or a newer one."
    }
  }

  /// For machines; never changes.
  package var code: String {
    switch self {
    case .notAReport: "report.malformed"
    case .otherSchema: "report.schema"
    }
  }
}

extension ReportDocument {
  /// Reads what `encode` wrote. Fields that are not known are passed over: a newer lockjaw may have added them.
  ///
  /// The report comes back equal, but for numbers that are not finite: JSON has none, they come back as NaN.
  package static func decode(_ text: String) throws(ReportDocumentError) -> Report {
    do {
      return try JSONDecoder().decode(Decoded<Report>.self, from: Data(text.utf8)).value
    } catch let error as ReportDocumentError {
      throw error
    } catch let error as DecodingError {
      throw .notAReport(reason: Printable.escaped(sentence(for: error)))
    } catch {
      throw .notAReport(reason: "it cannot be decoded")
    }
  }

  /// What is wrong, and where, as a clause: `"verdict" is missing at .findings[0]`.
  private static func sentence(for error: DecodingError) -> String {
    let (what, context): (String, DecodingError.Context)
    switch error {
    case .keyNotFound(let key, let where_): (what, context) = ("\"\(key.stringValue)\" is missing", where_)
    case .typeMismatch(_, let where_): (what, context) = ("a value has the wrong type", where_)
    case .valueNotFound(_, let where_): (what, context) = ("a value is null", where_)
    case .dataCorrupted(let where_): (what, context) = (where_.debugDescription, where_)
    @unknown default: return "it cannot be decoded"
    }
    let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? "." + $0.stringValue }.joined()
    let cause = context.underlyingError.map { " (\($0))" } ?? ""
    let sentence = String(what.dropLast { $0 == "." }) + cause + (path.isEmpty ? "" : " at \(path)")
    return Printable.shortened(sentence, to: 300)
  }
}

/// Gives model types their JSON reading without making the model depend on a serialisation.
struct Decoded<Value: JSONReadable>: Decodable {
  let value: Value
  init(from decoder: any Decoder) throws {
    value = try Value.read(Fields(try decoder.container(keyedBy: Value.Field.self)))
  }
}

protocol JSONReadable {
  associatedtype Field: CodingKey
  static func read(_ fields: Fields<Field>) throws -> Self
}

/// The fields of one object.
struct Fields<Key: CodingKey> {
  let container: KeyedDecodingContainer<Key>
  init(_ container: KeyedDecodingContainer<Key>) { self.container = container }

  func text(_ key: Key) throws -> String { try container.decode(String.self, forKey: key) }
  func textIfKnown(_ key: Key) throws -> String? { try container.decodeIfPresent(String.self, forKey: key) }
  func number<Number: FixedWidthInteger & Decodable>(_ key: Key) throws -> Number {
    try container.decode(Number.self, forKey: key)
  }
  /// Null is what the writer makes of a number that is none.
  func seconds(_ key: Key) throws -> Double { try container.decodeIfPresent(Double.self, forKey: key) ?? .nan }
  func choice<Choice: RawRepresentable<String>>(_ key: Key) throws -> Choice {
    try choice(from: text(key), key)
  }
  func choiceIfKnown<Choice: RawRepresentable<String>>(_ key: Key) throws -> Choice? {
    try textIfKnown(key).map { try choice(from: $0, key) }
  }
  /// A number written as `"0x…"`: JSON's own numbers lose addresses beyond 2^53 in many readers.
  func hexadecimal(_ key: Key) throws -> UInt64 {
    let text = try text(key)
    guard text.hasPrefix("0x"), let value = UInt64(text.dropFirst(2), radix: 16) else {
      throw corrupted(key, "\"\(text)\" is no 0x… number")
    }
    return value
  }
  func one<Value: JSONReadable>(_ key: Key) throws -> Value {
    try container.decode(Decoded<Value>.self, forKey: key).value
  }
  func oneIfKnown<Value: JSONReadable>(_ key: Key) throws -> Value? {
    try container.decodeIfPresent(Decoded<Value>.self, forKey: key)?.value
  }
  /// Arrays that were added to the schema later may be absent.
  func many<Value: JSONReadable>(_ key: Key) throws -> [Value] {
    try container.decodeIfPresent([Decoded<Value>].self, forKey: key)?.map(\.value) ?? []
  }
  func texts(_ key: Key) throws -> [String] { try container.decodeIfPresent([String].self, forKey: key) ?? [] }
  func threadIDs(_ key: Key) throws -> [ThreadID] {
    try (container.decodeIfPresent([Int32].self, forKey: key) ?? []).map(ThreadID.init)
  }

  private func choice<Choice: RawRepresentable<String>>(from text: String, _ key: Key) throws -> Choice {
    guard let value = Choice(rawValue: text) else { throw corrupted(key, "\"\(text)\" is not one of the known words") }
    return value
  }
  func corrupted(_ key: Key, _ what: String) -> DecodingError {
    .dataCorruptedError(forKey: key, in: container, debugDescription: what)
  }
}

extension Report: JSONReadable {
  static func read(_ fields: Fields<DocumentField>) throws -> Report {
    let schema = try fields.text(.schema)
    guard schema == Report.schema else { throw ReportDocumentError.otherSchema(schema) }
    let timing = try fields.container.decodeIfPresent([String: Double?].self, forKey: .timing) ?? [:]
    return Report(
      verdict: try fields.choice(.verdict), signature: try fields.text(.signature), process: try fields.one(.process),
      findings: try fields.many(.findings), locks: try fields.many(.locks), threads: try fields.many(.threads),
      processes: try fields.many(.processes), history: try fields.many(.history),
      profile: try fields.oneIfKnown(.profile), modules: try fields.many(.modules),
      diagnostics: try fields.texts(.diagnostics),
      losses: try fields.container.decodeIfPresent([String: UInt64].self, forKey: .losses) ?? [:],
      timing: timing.mapValues { $0 ?? .nan }, source: try fields.textIfKnown(.source) ?? "")
  }
}

extension ProcessReport: JSONReadable {
  static func read(_ fields: Fields<ProcessField>) throws -> ProcessReport {
    ProcessReport(
      pid: try fields.number(.pid), command: try fields.text(.command),
      executable: try fields.textIfKnown(.executable) ?? "", buildID: try fields.textIfKnown(.buildID) ?? "",
      started: try fields.textIfKnown(.started) ?? "", condition: try fields.textIfKnown(.condition) ?? "")
  }
}

extension Finding: JSONReadable {
  static func read(_ fields: Fields<FindingField>) throws -> Finding {
    Finding(
      kind: try fields.choice(.kind), certainty: try fields.choice(.certainty), summary: try fields.text(.summary),
      edges: try fields.many(.edges), bystanders: try fields.threadIDs(.bystanders),
      evidence: try fields.texts(.evidence), heartbeat: try fields.oneIfKnown(.heartbeat))
  }
}

extension MissedHeartbeat: JSONReadable {
  static func read(_ fields: Fields<HeartbeatField>) throws -> MissedHeartbeat {
    MissedHeartbeat(
      name: try fields.text(.name), thread: ThreadID(try fields.number(.thread)),
      withinSeconds: try fields.seconds(.withinSeconds), lastSecondsAgo: try fields.seconds(.lastSecondsAgo),
      count: try fields.number(.beats))
  }
}

extension Edge: JSONReadable {
  static func read(_ fields: Fields<EdgeField>) throws -> Edge {
    Edge(
      waiter: ThreadID(try fields.number(.waiter)), lock: try fields.text(.lock), mode: try fields.choice(.mode),
      holders: try fields.threadIDs(.holders), evidence: try fields.choice(.holderEvidence),
      waitsAt: try fields.oneIfKnown(.waitsAt), heldSinceAt: try fields.oneIfKnown(.heldSinceAt),
      heldIn: try fields.oneIfKnown(.heldIn), releasedAt: try fields.oneIfKnown(.releasedAt),
      guardType: try fields.textIfKnown(.guardType), guardVariable: try fields.oneIfKnown(.guardVariable),
      heldMode: try fields.choiceIfKnown(.heldMode), waitingForSeconds: try fields.seconds(.waitingForSeconds))
  }
}

extension GuardVariable: JSONReadable {
  static func read(_ fields: Fields<GuardField>) throws -> GuardVariable {
    GuardVariable(
      name: try fields.text(.name), file: try fields.textIfKnown(.file),
      line: try fields.container.decodeIfPresent(Int.self, forKey: .line))
  }
}

extension LockReport: JSONReadable {
  static func read(_ fields: Fields<LockField>) throws -> LockReport {
    LockReport(
      id: try fields.text(.id), address: Address(try fields.hexadecimal(.address)), type: try fields.choice(.type),
      library: try fields.text(.library), name: try fields.textIfKnown(.name), state: try fields.text(.state),
      initialisedAt: try fields.oneIfKnown(.initialisedAt),
      process: try fields.container.decodeIfPresent(Int32.self, forKey: .process))
  }
}

extension ThreadReport: JSONReadable {
  static func read(_ fields: Fields<ThreadField>) throws -> ThreadReport {
    ThreadReport(
      tid: ThreadID(try fields.number(.tid)), name: try fields.text(.name), state: try fields.text(.state),
      stack: try fields.many(.stack), holds: try fields.texts(.holds), waitsFor: try fields.textIfKnown(.waitsFor),
      process: try fields.container.decodeIfPresent(Int32.self, forKey: .process),
      breadcrumb: try fields.textIfKnown(.breadcrumb), flightRecord: try flightRecord(fields))
  }

  private static func flightRecord(_ fields: Fields<ThreadField>) throws -> FlightRecord? {
    guard fields.container.contains(.operations) else { return nil }
    return FlightRecord(
      operations: try fields.many(.operations), olderInRing: try fields.number(.operationsOlder),
      lost: try fields.number(.operationsLost))
  }
}

extension OperationEntry: JSONReadable {
  static func read(_ fields: Fields<OperationField>) throws -> OperationEntry {
    let word = try fields.text(.operation)
    guard let kind = RecordedOperation.Kind(word: word) else {
      throw fields.corrupted(.operation, "\"\(word)\" is not one of the known words")
    }
    return OperationEntry(
      kind: kind, lock: Address(try fields.hexadecimal(.lock)), type: try fields.choice(.type),
      mode: try fields.choice(.mode), site: try fields.oneIfKnown(.site), secondsAgo: try fields.seconds(.secondsAgo),
      isContended: try fields.container.decode(Bool.self, forKey: .contended),
      outcome: try fields.choiceIfKnown(.outcome))
  }
}

extension HistoryEntry: JSONReadable {
  static func read(_ fields: Fields<HistoryField>) throws -> HistoryEntry {
    HistoryEntry(
      thread: ThreadID(try fields.number(.thread)), threadName: try fields.text(.threadName),
      lock: Address(try fields.hexadecimal(.lock)), type: try fields.choice(.type), mode: try fields.choice(.mode),
      site: try fields.oneIfKnown(.site), beganSecondsAgo: try fields.seconds(.beganSecondsAgo),
      durationSeconds: try fields.seconds(.durationSeconds), outcome: try fields.choice(.outcome))
  }
}

extension ModuleCoverage: JSONReadable {
  static func read(_ fields: Fields<ModuleField>) throws -> ModuleCoverage {
    ModuleCoverage(
      module: try fields.text(.module), path: try fields.text(.path), buildID: try fields.textIfKnown(.buildID) ?? "",
      addresses: try fields.number(.addresses), withLine: try fields.number(.withLine),
      functionOnly: try fields.number(.functionOnly), shortage: try fields.choiceIfKnown(.shortage))
  }
}

extension Frame: JSONReadable {
  static func read(_ fields: Fields<FrameField>) throws -> Frame {
    Frame(
      function: try fields.textIfKnown(.function), file: try fields.textIfKnown(.file),
      line: try fields.container.decodeIfPresent(Int.self, forKey: .line), module: try fields.text(.module),
      offset: try fields.hexadecimal(.offset),
      isInlined: try fields.container.decodeIfPresent(Bool.self, forKey: .inlined) ?? false,
      isPlumbing: try fields.container.decodeIfPresent(Bool.self, forKey: .plumbing) ?? false,
      isBeyondTables: try fields.container.decodeIfPresent(Bool.self, forKey: .beyondTables) ?? false)
  }
}
