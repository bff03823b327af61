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

  /// From what the kernel, or a core, says of the process.
  package init(_ snapshot: Snapshot, condition: String) {
    let process = snapshot.process
    let module = snapshot.modules.first { $0.path == process.executable }
    self.init(
      pid: process.identity.pid, command: process.command.isEmpty ? process.name : process.command,
      executable: process.executable, buildID: module?.buildID ?? "",
      started: process.startedUnixSeconds.map { Self.timestamp(Self.nanoseconds($0)) } ?? "", condition: condition)
  }

  /// 0 for what is no time since 1970: the number may come from a file.
  private static func nanoseconds(_ seconds: Double) -> UInt64 {
    seconds.isFinite && seconds > 0 && seconds < 1e10 ? UInt64(seconds) * 1_000_000_000 : 0
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
