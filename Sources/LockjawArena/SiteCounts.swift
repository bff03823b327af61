import CLockjawABI
import LockjawModel

extension ArenaReader {
  /// What was done where, over all threads, ended ones included. In no order.
  ///
  /// Rows are read while their threads count on: each is true at some moment during the call.
  ///
  /// - Parameter limit: most pairs of lock and site that are told apart; what comes beyond is counted by its site alone, and
  ///   what finds no place even there is left out. A hostile arena of 2 GiB of rows is so read with bounded memory.
  package func siteCounts(limit: Int = 1 << 20) -> [SiteCount] {
    struct Key: Hashable {
      var object: UInt64
      var site: UInt64
      var purpose: SiteCount.Purpose
    }
    var merged: [Key: SiteCount] = [:]
    var budget = HistoryBudget(publishedHistoryBytes)
    for slot in 0..<slotCount {
      for count in siteCounts(inSlot: slot, within: &budget) {
        var count = count
        var key = Key(
          object: count.object?.rawValue ?? 0, site: count.site.address.rawValue, purpose: count.purpose)
        if merged[key] == nil, merged.count >= limit {
          (count.object, key.object) = (nil, 0)
          if merged[key] == nil, merged.count >= 2 * limit { continue }
        }
        if merged[key] == nil { merged[key] = count } else { merged[key]?.add(count) }
      }
    }
    return Array(merged.values)
  }

  /// The rows of one slot's tables. A pair of lock and site may have more than one.
  package func siteCounts(inSlot slot: Int) -> [SiteCount] {
    var budget = HistoryBudget(publishedHistoryBytes)
    return siteCounts(inSlot: slot, within: &budget)
  }

  private func siteCounts(inSlot slot: Int, within budget: inout HistoryBudget) -> [SiteCount] {
    guard let history = history(inSlot: slot) else { return [] }
    var counts: [SiteCount] = []
    for table in 0..<LJ_SITE_TABLES {
      let rows = Int(lj_site_rows(UInt32(table)))
      let unit = loadAcquire32(history + Self.tablesUnit + 4 * table)
      guard let base = historyRange(unit: unit, byteCount: rows * Self.rowBytes), budget.take(rows * Self.rowBytes)
      else { continue }
      let times = base + rows * MemoryLayout<lj_site_count>.size
      for row in 0..<rows {
        let at = base + row * MemoryLayout<lj_site_count>.size
        // Acquire: a row whose site is set is complete.
        guard loadAcquire64(at + Self.rowSite) != 0, let raw = load(lj_site_count.self, at: at),
          let rest = load(lj_site_times.self, at: times + row * MemoryLayout<lj_site_times>.size),
          let count = SiteCount(raw, rest)
        else { continue }
        counts.append(count)
      }
    }
    return counts
  }

  private static let rowBytes = MemoryLayout<lj_site_count>.size + MemoryLayout<lj_site_times>.size
  private static let tablesUnit = MemoryLayout<lj_history>.offset(of: \lj_history.tables_unit)!
  private static let rowSite = MemoryLayout<lj_site_count>.offset(of: \lj_site_count.site)!
}

/// Rings and tables lie side by side and are nobody else's, so together they are no more than what was handed out.
/// Slots of a damaged arena that all point to the same place would make a reader read it 65,536 times.
struct HistoryBudget {
  private var left: Int
  init(_ bytes: Int) { left = bytes }
  mutating func take(_ bytes: Int) -> Bool {
    guard bytes <= left else { return false }
    left -= bytes
    return true
  }
}

extension SiteCount {
  init?(_ raw: lj_site_count, _ times: lj_site_times) {
    guard raw.object != 0, let type = LockType(abi: raw.kind), let mode = LockMode(abi: raw.mode) else { return nil }
    let callers = [times.callers.0, times.callers.1].prefix(Int(raw.caller_count))
    self.init(
      purpose: Int(raw.counts) == LJ_COUNT_INIT ? .initialisation : .use,
      object: raw.object == UInt64(LJ_ANY_OBJECT) ? nil : Address(raw.object),
      // 1 stands for a site that is not known.
      site: CallSite(address: Address(raw.site == 1 ? 0 : raw.site), callers: callers.map { Address($0) }),
      type: type, mode: mode, operations: raw.operations, waits: times.waits, waitNanoseconds: times.wait_ns,
      longestWaitNanoseconds: times.wait_ns_max, failures: times.failures, timedHolds: times.holds_timed,
      timedHoldNanoseconds: times.hold_ns, contendedHolds: times.contended_holds,
      contendedHoldNanoseconds: times.contended_hold_ns, longestHoldNanoseconds: times.hold_ns_max,
      seenTicks: times.seen_ticks)
  }
}
