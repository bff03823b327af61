import Glibc

/// How far this process' time namespace is from the machine's own (time_namespaces(7)).
///
/// Such a namespace shifts CLOCK_MONOTONIC, CLOCK_BOOTTIME and what `/proc` says of when a process began. The library and
/// lockjaw may be in different ones, so both speak of the machine's time, as the first namespace has it.
struct TimeNamespace: Hashable {
  /// What this namespace's CLOCK_MONOTONIC is ahead, in nanoseconds.
  var monotonicNanoseconds: Int64
  /// What its CLOCK_BOOTTIME is ahead, and with it the starts of processes in `/proc`, in nanoseconds.
  var bootNanoseconds: Int64

  static let machine = TimeNamespace(monotonicNanoseconds: 0, bootNanoseconds: 0)

  /// lockjaw's own, as it was at the first question: nobody changes it in between.
  static let own: TimeNamespace = {
    guard let text = try? ProcFile.text("/proc/self/timens_offsets"), let found = TimeNamespace(text), found != .machine
    else { return .machine }
    // The file tells of the namespace that children will have, which after unshare(2) is not this one yet.
    let names = ["time", "time_for_children"].map { try? ProcFile.link("/proc/self/ns/\($0)") }
    return names[0] != nil && names[0] == names[1] ? found : .machine
  }()

  /// `/proc/PID/timens_offsets`: a clock, seconds, and nanoseconds, which are never negative, a line.
  init?(_ text: String) {
    var shifts: [Substring: Int64] = [:]
    for line in text.split(separator: "\n") {
      let fields = line.split(whereSeparator: \.isWhitespace)
      guard fields.count == 3, let seconds = Int64(fields[1]), let nanoseconds = Int64(fields[2]),
        (0..<1_000_000_000).contains(nanoseconds)
      else { return nil }
      let (whole, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
      let (sum, overflowsToo) = whole.addingReportingOverflow(nanoseconds)
      guard !overflows && !overflowsToo else { return nil }
      shifts[fields[0]] = sum
    }
    guard let monotonic = shifts["monotonic"], let boot = shifts["boottime"] else { return nil }
    self.init(monotonicNanoseconds: monotonic, bootNanoseconds: boot)
  }

  init(monotonicNanoseconds: Int64, bootNanoseconds: Int64) {
    self.monotonicNanoseconds = monotonicNanoseconds
    self.bootNanoseconds = bootNanoseconds
  }

  /// The start of a process or thread as `/proc` gives it here, in ticks since the machine's boot. The kernel counts them in
  /// hundredths of a second; a shift by a part of one can put the result off by one.
  func machineTicks(_ ticks: UInt64) -> UInt64 { ticks &- UInt64(bitPattern: bootNanoseconds / 10_000_000) }

  /// A point on this namespace's CLOCK_MONOTONIC, in nanoseconds since the machine's boot.
  func machineNanoseconds(_ nanoseconds: UInt64) -> UInt64 { nanoseconds &- UInt64(bitPattern: monotonicNanoseconds) }
}
