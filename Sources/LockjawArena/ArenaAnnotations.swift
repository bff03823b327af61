import CLockjawABI
import LockjawModel

extension ArenaReader {
  /// What the thread of a slot works on; `nil` where it has not said, or says something else just now.
  package func breadcrumb(inSlot index: Int) -> Breadcrumb? {
    guard let history = history(inSlot: index) else { return nil }
    let slot = history - MemoryLayout<lj_slot>.offset(of: \lj_slot.history)!
    let at = slot + MemoryLayout<lj_slot>.offset(of: \lj_slot.breadcrumb)!
    let before = loadAcquire32(at)
    guard before != 0, before & 1 == 0, let raw = load(lj_breadcrumb.self, at: at) else { return nil }
    lj_fence_acquire()
    guard loadAcquire32(at) == before else { return nil }
    let said = text(tupleBytes(raw.text))
    return said.isEmpty ? nil : Breadcrumb(text: said, since: Instant(nanoseconds: raw.since_ns))
  }

  /// Names that the program has given to its locks; of several for one lock the latest.
  package func lockNames() -> [Address: String] {
    var names: [Address: (text: String, named: UInt64)] = [:]
    // Units are nobody else's: a chain that is longer than all of them is a loop.
    var budget = HistoryBudget(publishedHistoryBytes)
    for slot in 0..<slotCount {
      guard let history = history(inSlot: slot) else { continue }
      var offset = loadAcquire64(history + MemoryLayout<lj_history>.offset(of: \lj_history.names_offset)!)
      while offset != 0, budget.take(LJ_HISTORY_UNIT), let unit = historyRange(offset, byteCount: LJ_HISTORY_UNIT) {
        let count = Int(loadAcquire32(unit + MemoryLayout<lj_names>.offset(of: \lj_names.count)!))
        for index in 0..<min(count, LJ_NAMES_PER_UNIT) {
          let at = unit + MemoryLayout<lj_names>.offset(of: \lj_names.names)! + index * MemoryLayout<lj_name>.size
          // Acquire: an entry whose object is set is complete.
          let object = loadAcquire64(at)
          guard object != 0, let raw = load(lj_name.self, at: at), raw.object == object else { continue }
          if let known = names[Address(object)], known.named > raw.named_ns { continue }
          names[Address(object)] = (text(tupleBytes(raw.text)), raw.named_ns)
        }
        offset = loadAcquire64(unit)
      }
    }
    return names.mapValues(\.text).filter { !$0.value.isEmpty }
  }

  /// Heartbeats of which more are expected.
  package func heartbeats() -> [Heartbeat] {
    let base = MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.heartbeats)!
    return (0..<LJ_HEARTBEATS).compactMap { index in
      let at = base + index * MemoryLayout<lj_heartbeat>.size
      // The limit before the time: a beat in between is then newer than the limit, never older.
      let within = loadAcquire32(at + MemoryLayout<lj_heartbeat>.offset(of: \lj_heartbeat.within_ms)!)
      guard loadAcquire32(at) == LJ_HEARTBEAT_IN_USE, within > 0, let raw = load(lj_heartbeat.self, at: at),
        raw.last_ns != 0
      else {
        return nil
      }
      return Heartbeat(
        name: text(tupleBytes(raw.name)), withinMilliseconds: within, last: Instant(nanoseconds: raw.last_ns),
        thread: ThreadID(Int32(truncatingIfNeeded: raw.tid)), count: raw.beats)
    }
  }
}
