import Foundation

/// A report as its readers outside this project see it: decoded from the JSON contract alone, with none of lockjaw's
/// own code, so that a renamed field is noticed here.
struct ReportDocument: Decodable {
  struct Frame: Decodable {
    var function: String?
    var file: String?
    var line: Int?
    var module: String
    /// The last component of the file's path.
    var fileName: String? { file.map { String($0.split(separator: "/").last ?? "") } }
  }

  struct Guard: Decodable {
    var name: String
    var file: String?
    var line: Int?
    var fileName: String? { file.map { String($0.split(separator: "/").last ?? "") } }
  }

  struct Edge: Decodable {
    var waiter: Int32
    var lock: String
    var mode: String
    var holders: [Int32]
    var holderEvidence: String
    var waitsAt: Frame?
    var heldSinceAt: Frame?
    var heldIn: Frame?
    var releasedAt: Frame?
    var guardType: String?
    var `guard`: Guard?
    /// `nil`: a core that dates nothing.
    var waitingForSeconds: Double?
  }

  struct Finding: Decodable {
    var kind: String
    var certainty: String
    var summary: String
    var edges: [Edge]
    var bystanders: [Int32]
  }

  struct Lock: Decodable {
    var id: String
    var address: String
    var type: String
    var library: String
    var state: String
  }

  struct Thread: Decodable {
    var tid: Int32
    var name: String
    var stack: [Frame]
  }

  struct PastWait: Decodable {
    var threadName: String?
    var outcome: String
    var site: Frame?
  }

  struct Target: Decodable {
    var pid: Int32
    var command: String
    /// ISO 8601; `nil`: not known.
    var started: String?
  }

  var schema: String
  var verdict: String
  var signature: String
  var process: Target
  var processes: [Target]?
  var findings: [Finding]
  var locks: [Lock]
  var threads: [Thread]
  var history: [PastWait]?
  var diagnostics: [String]

  /// Kinds that mean a hang (README, "Verdicts").
  static let hangs: Set = [
    "deadlock", "self-deadlock", "upgrade-deadlock", "recursive-read-deadlock", "join-cycle", "orphaned-lock",
    "phantom-lock", "lost-wakeup", "livelock", "missed-heartbeat", "hang-unknown",
  ]

  static func decode(_ bytes: Data) throws -> ReportDocument {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(ReportDocument.self, from: bytes)
  }

  /// The name of a thread, as samples use it: the first thread is "main", whatever the executable is called.
  func name(of tid: Int32) -> String {
    // Of several processes each has a first thread, and they have names.
    if tid == process.pid, processes == nil { return "main" }
    return threads.first { $0.tid == tid }?.name ?? "thread \(tid), which the report does not list"
  }
}
