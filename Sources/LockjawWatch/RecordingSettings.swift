import LockjawModel

/// What a command is to record; what is not said here, its environment says.
package struct RecordingSettings: Hashable, Sendable {
  package var level: RecordingLevel?
  /// Operations that each thread's ring keeps; rounded up to a power of two.
  package var ringOperations: Int?
  /// A full ring keeps the oldest operations instead of the newest.
  package var ringStops: Bool?

  package init(level: RecordingLevel? = nil, ringOperations: Int? = nil, ringStops: Bool? = nil) {
    self.level = level
    self.ringOperations = ringOperations
    self.ringStops = ringStops
  }

  /// Whether anything is counted from the start.
  var counts: Bool {
    guard let level = level ?? environmentValue("LOCKJAW_RECORD").flatMap(RecordingLevel.init(rawValue:)) else {
      return false
    }
    return level != .state
  }

  /// The shim's variables for it.
  package var environment: [(String, String)] {
    var variables: [(String, String)] = []
    if let level { variables.append(("LOCKJAW_RECORD", level.rawValue)) }
    if let ringOperations { variables.append(("LOCKJAW_RING", "\(ringOperations)")) }
    if let ringStops { variables.append(("LOCKJAW_RING_MODE", ringStops ? "stop" : "overwrite")) }
    return variables
  }
}
