import CLockjawABI
import LockjawModel

extension ArenaReader {
  /// A past wait and whose it was.
  package struct Entry: Hashable, Sendable {
    package var tid: ThreadID
    package var threadName: String
    package var wait: PastWait
  }

  /// The newest contended waits of all threads that still have a slot, newest first.
  ///
  /// A ring overwrites its oldest entry while it is read; an entry that was overwritten meanwhile is left out.
  package func history(limit: Int) -> [Entry] {
    var entries: [Entry] = []
    for slot in 0..<slotCount {
      guard let ring = ring(ofSlot: slot) else { continue }
      for event in ring.events {
        entries.append(Entry(tid: ring.tid, threadName: ring.name, wait: event))
      }
    }
    entries.sort { ($0.wait.begin, $0.tid) > ($1.wait.begin, $1.tid) }
    return Array(entries.prefix(limit))
  }

  /// The same of one slot's thread, newest first; empty where the slot has none.
  package func history(ofSlot slot: Int) -> [PastWait] {
    guard (0..<slotCount).contains(slot) else { return [] }
    return (ring(ofSlot: slot)?.events ?? []).reversed()
  }

  private func ring(ofSlot slot: Int) -> (tid: ThreadID, name: String, events: [PastWait])? {
    let base = header.slotsOffset + slot * MemoryLayout<lj_slot>.size
    guard let fields = load(RingFields.self, slot: base), fields.phase != 0 else { return nil }
    // The ring lives inside its slot. Believed where it lies elsewhere, it would be read again for every slot of a
    // damaged arena, 65,536 times.
    let capacity = LJ_RING_INLINE
    let inside = base + MemoryLayout<lj_slot>.offset(of: \lj_slot.ring)!
    guard Int(fields.capacity) == capacity, fields.offset == UInt64(inside) else { return nil }
    let head = fields.head
    let first = head > UInt64(capacity) ? head - UInt64(capacity) : 0
    var events: [(index: UInt64, wait: PastWait)] = []
    for index in first..<head {
      let at = inside + Int(index % UInt64(capacity)) * MemoryLayout<lj_event>.size
      guard let raw = event(at: at), let past = PastWait(raw) else { continue }
      events.append((index, past))
    }
    let now = load(RingFields.self, slot: base)?.head ?? head
    let oldestValid = now > UInt64(capacity) ? now - UInt64(capacity) : 0
    return (
      ThreadID(Int32(truncatingIfNeeded: fields.tid)), fields.name,
      events.filter { $0.index >= oldestValid }.map(\.wait)
    )
  }
}

/// The fields of a slot that describe its ring.
struct RingFields {
  var phase: UInt32
  var tid: UInt32
  var name: String
  var offset: UInt64
  var capacity: UInt32
  var head: UInt64
}

extension PastWait {
  fileprivate init?(_ raw: lj_event) {
    guard raw.begin_ns != 0, let type = LockType(abi: raw.kind), let mode = LockMode(abi: raw.mode),
      let outcome = Outcome(abi: raw.outcome)
    else { return nil }
    self.init(
      type: type, mode: mode, object: Address(raw.object), companion: Address(raw.object2),
      site: CallSite(address: Address(raw.site)), begin: Instant(nanoseconds: raw.begin_ns),
      durationNanoseconds: raw.duration_ns,
      owner: raw.owner_tid == 0 ? nil : ThreadID(Int32(truncatingIfNeeded: raw.owner_tid)), outcome: outcome)
  }
}
