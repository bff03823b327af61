import Glibc
import LockjawArena
import LockjawDiagnosis
import LockjawInspect
import LockjawModel

extension ProcessReport {
  /// From the arena's header, which explains itself when the process is gone.
  package init(_ arena: ArenaReader, condition: String) {
    let header = arena.header
    let executable = header.executable
    let module = arena.modules().first { $0.path == executable }
    self.init(
      pid: header.identity.pid, command: header.command.isEmpty ? executable : header.command,
      executable: executable, buildID: module?.buildID ?? "",
      started: Self.timestamp(header.createdRealtimeNanoseconds), condition: condition)
  }

  /// ISO 8601 in UTC, to the second.
  static func timestamp(_ nanoseconds: UInt64) -> String {
    guard nanoseconds > 0 else { return "" }
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var parts = tm()
    guard gmtime_r(&seconds, &parts) != nil else { return "" }
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
  }
}
