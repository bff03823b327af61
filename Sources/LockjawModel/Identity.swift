/// A kernel thread id, as `gettid()` returns it in the target's own pid namespace.
package struct ThreadID: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let rawValue: Int32
  package init(_ rawValue: Int32) { self.rawValue = rawValue }
  package static func < (a: ThreadID, b: ThreadID) -> Bool { a.rawValue < b.rawValue }
  package var description: String { String(rawValue) }
}

/// An address in the target's address space.
package struct Address: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let rawValue: UInt64
  package init(_ rawValue: UInt64) { self.rawValue = rawValue }
  package static func < (a: Address, b: Address) -> Bool { a.rawValue < b.rawValue }
  /// Lower-case hexadecimal with the `0x` prefix, unpadded.
  package var description: String { "0x" + String(rawValue, radix: 16) }
}

/// A point on the machine's CLOCK_MONOTONIC, in nanoseconds since boot; not that of a time namespace.
package struct Instant: Hashable, Comparable, Sendable {
  package let nanoseconds: UInt64
  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
  package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  /// The beginning of a wait that nobody dated (a kernel's core); later than every other, so that it has lasted for 0 s.
  package static let unknown = Instant(nanoseconds: .max)
  package var isKnown: Bool { self != .unknown }
  /// Seconds from `earlier` to this instant; zero where the clocks disagree.
  package func seconds(since earlier: Instant) -> Double {
    nanoseconds > earlier.nanoseconds ? Double(nanoseconds - earlier.nanoseconds) / 1e9 : 0
  }
}

/// One process image. A pid alone is reused; pid and start time together are not.
package struct ProcessIdentity: Hashable, Sendable {
  package var pid: Int32
  /// Field 22 of `/proc/PID/stat`, clock ticks since boot; 0 where it is not known.
  package var startTicks: UInt64
  package init(pid: Int32, startTicks: UInt64) {
    self.pid = pid
    self.startTicks = startTicks
  }
}
