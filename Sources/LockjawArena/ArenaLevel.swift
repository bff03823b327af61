import CLockjawABI
import LockjawModel

extension ArenaReader {
  private static let level =
    LJ_COLLECTOR_OFFSET + MemoryLayout<lj_collector_page>.offset(of: \lj_collector_page.level)!

  /// What the process records from now on.
  package var level: RecordingLevel { RecordingLevel(abi: loadAcquire32(Self.level)) }

  /// Why the level of this arena cannot be raised; `nil` where it can.
  package var levelIsFixed: String? {
    if header.historyCapacity == 0 {
      return
        "its arena has no room for more than 'state': the kernel is older than 5.14, or a limit on file sizes is set"
    }
    if !canSleep { return "its arena may not be written to" }
    return nil
  }

  /// Makes the process record at `level` from each thread's next operation on.
  /// - Returns: false where `levelIsFixed` says why not.
  package func record(_ level: RecordingLevel) -> Bool {
    guard level == .state || levelIsFixed == nil,
      let word = collectorWord(MemoryLayout<lj_collector_page>.offset(of: \lj_collector_page.level)!)
    else { return false }
    lj_store_release32(word, level.abi)
    return true
  }
}
