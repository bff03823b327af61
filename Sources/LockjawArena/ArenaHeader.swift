import CLockjawABI
import LockjawModel

/// What an arena says of itself, checked against the size of its file.
package struct ArenaHeader: Hashable, Sendable {
  package enum ImageState: Hashable, Sendable {
    case starting, live
    case exited(code: UInt32)
    /// The shim only forwards, for this reason.
    case disabled(reason: String)
  }

  package let identity: ProcessIdentity
  package let parentPID: Int32
  package let userID: UInt32
  package let imageNumber: Int
  /// Lower-case hexadecimal.
  package let bootID: String
  package let created: Instant
  package let createdRealtimeNanoseconds: UInt64
  package let session: String
  package let executable: String
  package let command: String
  package let shimBase: Address
  let modulesOffset: Int
  let slotsOffset: Int
  let extentsOffset: Int
  let moduleCapacity: Int
  let slotCapacity: Int
  let extentCapacity: Int
  let historyOffset: Int
  let historyCapacity: Int
  /// Whether a full ring keeps the oldest operations and drops the newest.
  let ringsStop: Bool
  let tickSource: TickClock.Source?
  /// The time-stamp counter at `created`.
  let ticksAtCreation: UInt64
  /// The level that the program was started with.
  package let initialLevel: RecordingLevel

  /// Checks every field that a later read depends on; nothing is believed that the file's size contradicts.
  init(_ mapping: borrowing ArenaMapping, path: String) throws(ArenaError) {
    guard let raw = mapping.load(lj_arena_header.self, at: 0) else {
      throw .truncated(
        path: path, has: UInt64(mapping.byteCount), needs: UInt64(MemoryLayout<lj_arena_header>.size))
    }
    guard raw.magic == ArenaHeader.magic else { throw .notAnArena(path: path) }
    let version = UInt32(LJ_ABI_VERSION)
    guard raw.version == version else { throw .otherVersion(path: path, found: raw.version, expected: version) }

    let sizes: [(String, UInt32, Int)] = [
      ("header_bytes", raw.header_bytes, MemoryLayout<lj_arena_header>.size),
      ("slot_bytes", raw.slot_bytes, MemoryLayout<lj_slot>.size),
      ("held_bytes", raw.held_bytes, MemoryLayout<lj_held>.size),
      ("event_bytes", raw.event_bytes, MemoryLayout<lj_event>.size),
      ("module_bytes", raw.module_bytes, MemoryLayout<lj_module>.size),
    ]
    for (field, found, expected) in sizes where Int(found) != expected {
      throw .inconsistent(path: path, field: field)
    }

    let regions: [(String, UInt64, UInt32, Int, Int)] = [
      (
        "modules_offset", raw.modules_offset, raw.module_capacity, MemoryLayout<lj_module>.size,
        LJ_MODULE_CAPACITY
      ),
      (
        "slots_offset", raw.slots_offset, raw.slot_capacity, MemoryLayout<lj_slot>.size,
        LJ_SLOT_CAPACITY_MAX
      ),
      (
        "extents_offset", raw.extents_offset, raw.extent_capacity, MemoryLayout<lj_extent>.size,
        LJ_EXTENT_CAPACITY_MAX
      ),
      ("history_offset", raw.history_offset, raw.history_capacity, LJ_HISTORY_UNIT, LJ_HISTORY_UNITS_MAX),
    ]
    // Where each region begins, in their order.
    var beginnings: [Int] = []
    for (field, offset, capacity, size, limit) in regions {
      // An arena that only carries its reason has no regions; whatever it says of where they begin is about nothing.
      if capacity == 0 {
        beginnings.append(0)
        continue
      }
      guard Int(capacity) <= limit, offset >= 2 * UInt64(LJ_PAGE), offset % 64 == 0, offset < 1 << 32 else {
        throw .inconsistent(path: path, field: field)
      }
      let end = offset + UInt64(capacity) * UInt64(size)
      guard end <= UInt64(mapping.byteCount) else {
        throw .truncated(path: path, has: UInt64(mapping.byteCount), needs: end)
      }
      beginnings.append(Int(offset))
    }

    identity = ProcessIdentity(pid: Int32(truncatingIfNeeded: raw.pid), startTicks: raw.start_ticks)
    parentPID = Int32(truncatingIfNeeded: raw.parent_pid)
    userID = raw.uid
    imageNumber = Int(raw.image_number)
    bootID = hexadecimal(tupleBytes(raw.boot_id))
    created = Instant(nanoseconds: raw.created_ns)
    createdRealtimeNanoseconds = raw.created_realtime_ns
    session = text(tupleBytes(raw.session))
    executable = text(tupleBytes(raw.executable))
    command = text(tupleBytes(raw.command))
    shimBase = Address(raw.shim_base)
    modulesOffset = beginnings[0]
    slotsOffset = beginnings[1]
    extentsOffset = beginnings[2]
    historyOffset = beginnings[3]
    moduleCapacity = Int(raw.module_capacity)
    slotCapacity = Int(raw.slot_capacity)
    extentCapacity = Int(raw.extent_capacity)
    historyCapacity = Int(raw.history_capacity)
    ringsStop = Int(raw.ring_mode) == LJ_RING_STOP
    tickSource = TickClock.Source(abi: raw.tick_source)
    ticksAtCreation = raw.tsc_at_creation
    initialLevel = RecordingLevel(abi: raw.level)
  }

  /// `LJ_ARENA_MAGIC`; Swift does not import a macro with the ULL suffix in hexadecimal beyond Int64.
  static let magic: UInt64 = 0x31_4E45_5241_4A4C
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".unicodeScalars)
  var result = String.UnicodeScalarView()
  for byte in bytes {
    result.append(digits[Int(byte >> 4)])
    result.append(digits[Int(byte & 15)])
  }
  return String(result)
}
