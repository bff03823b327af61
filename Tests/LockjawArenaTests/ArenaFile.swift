import CLockjawABI
import Glibc

/// An arena written by hand through the format's own header: what a shim would write, without one.
final class ArenaFile {
  let path: String
  private(set) var bytes: [UInt8]
  static let slots = 4
  static let extents = 3
  static let modules = 2
  static let units = 4

  init() {
    path = "/tmp/lockjaw-arena-test-\(getpid())-\(UInt64.random(in: 0...UInt64.max)).arena"
    let modulesOffset = LJ_MODULES_OFFSET
    let slotsOffset = modulesOffset + 4096
    let extentsOffset = slotsOffset + Self.slots * MemoryLayout<lj_slot>.size
    let historyOffset = extentsOffset + Self.extents * MemoryLayout<lj_extent>.size
    bytes = [UInt8](repeating: 0, count: historyOffset + Self.units * LJ_HISTORY_UNIT)
    var header = lj_arena_header()
    header.magic = 0x31_4E45_5241_4A4C
    header.version = UInt32(LJ_ABI_VERSION)
    header.header_bytes = UInt32(MemoryLayout<lj_arena_header>.size)
    header.slot_bytes = UInt32(MemoryLayout<lj_slot>.size)
    header.held_bytes = UInt32(MemoryLayout<lj_held>.size)
    header.event_bytes = UInt32(MemoryLayout<lj_event>.size)
    header.module_bytes = UInt32(MemoryLayout<lj_module>.size)
    header.file_bytes = UInt64(bytes.count)
    header.modules_offset = UInt64(modulesOffset)
    header.slots_offset = UInt64(slotsOffset)
    header.extents_offset = UInt64(extentsOffset)
    header.module_capacity = UInt32(Self.modules)
    header.slot_capacity = UInt32(Self.slots)
    header.extent_capacity = UInt32(Self.extents)
    header.module_count = 1
    header.slot_count = UInt32(Self.slots)
    header.extent_count = UInt32(Self.extents)
    header.history_offset = UInt64(historyOffset)
    header.history_capacity = UInt32(Self.units)
    header.history_units = UInt32(Self.units)
    header.tick_source = UInt32(LJ_TICKS_TSC)
    header.tsc_at_creation = 1000
    header.created_ns = 5000
    header.image_state = UInt32(LJ_IMAGE_LIVE)
    header.pid = 4242
    header.start_ticks = 77
    store(header, at: 0)
    put("/usr/bin/bank", at: MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.executable)!)
  }

  deinit { unlink(path) }

  func slot(_ index: Int) -> Int { LJ_MODULES_OFFSET + 4096 + index * MemoryLayout<lj_slot>.size }
  func extent(_ index: Int) -> Int { slot(Self.slots) + index * MemoryLayout<lj_extent>.size }

  func unit(_ index: Int) -> Int { extent(Self.extents) + index * LJ_HISTORY_UNIT }

  /// Gives a slot a ring of 256 operations in a unit of the history.
  func operationRing(_ index: Int, unit: Int, head: UInt64) {
    set(\.history.operations_head, head, slot: index)
    set(\.history.operations_unit, UInt32(unit + 1), slot: index)
    set(\.history.operations_capacity, 256, slot: index)
  }

  func operation(
    unit: Int, number: UInt64, _ operation: Int, object: UInt64, ticks: UInt64, site: UInt64 = 0x5000, detail: Int = 0
  ) {
    var raw = lj_operation()
    raw.ticks = ticks
    raw.object = object
    raw.site = site
    raw.stamp = UInt32(truncatingIfNeeded: number + 1)
    raw.operation = UInt8(operation)
    raw.kind = operation >= LJ_OP_THREAD_BEGIN ? 0 : UInt8(LJ_KIND_MUTEX)
    raw.detail = UInt8(detail)
    store(raw, at: self.unit(unit) + Int(number % 256) * MemoryLayout<lj_operation>.size)
  }

  /// Gives a slot its first table of sites, of `lj_site_rows(0)` rows, in a unit of the history.
  func siteTable(_ index: Int, unit: Int) {
    set(\.history.tables_unit.0, UInt32(unit + 1), slot: index)
  }

  func siteRow(
    unit: Int, row: Int, object: UInt64, site: UInt64, operations: UInt64, ticks: UInt64 = 1, counts: Int = LJ_COUNT_USE
  ) {
    var raw = lj_site_count()
    raw.object = object
    raw.site = site
    raw.operations = operations
    raw.kind = UInt8(LJ_KIND_MUTEX)
    raw.counts = UInt8(counts)
    store(raw, at: self.unit(unit) + row * MemoryLayout<lj_site_count>.size)
    var times = lj_site_times()
    times.wait_ns_max = operations
    times.seen_ticks = ticks
    let rest = self.unit(unit) + Int(lj_site_rows(0)) * MemoryLayout<lj_site_count>.size
    store(times, at: rest + row * MemoryLayout<lj_site_times>.size)
  }

  /// A lock's name in a unit of the history, which becomes the slot's chain of names.
  func name(_ index: Int, unit: Int, place: Int, object: UInt64, _ text: String) {
    set(\.history.names_offset, UInt64(self.unit(unit)), slot: index)
    store(UInt32(place + 1), at: self.unit(unit) + MemoryLayout<lj_names>.offset(of: \lj_names.count)!)
    let names = self.unit(unit) + MemoryLayout<lj_names>.offset(of: \lj_names.names)!
    let at = names + place * MemoryLayout<lj_name>.size
    store(object, at: at)
    put(text, at: at + MemoryLayout<lj_name>.offset(of: \lj_name.text)!)
  }

  func breadcrumb(_ index: Int, _ text: String) {
    set(\.breadcrumb.sequence, 2, slot: index)
    put(text, at: slot(index) + MemoryLayout<lj_slot>.offset(of: \lj_slot.breadcrumb.text)!)
  }

  func heartbeat(_ place: Int, name: String, withinMilliseconds: UInt32) {
    let all = MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.heartbeats)!
    let at = all + place * MemoryLayout<lj_heartbeat>.size
    var raw = lj_heartbeat()
    raw.state = UInt32(LJ_HEARTBEAT_IN_USE)
    raw.within_ms = withinMilliseconds
    raw.last_ns = 5000
    store(raw, at: at)
    put(name, at: at + MemoryLayout<lj_heartbeat>.offset(of: \lj_heartbeat.name)!)
  }

  func store<T>(_ value: T, at offset: Int) {
    withUnsafeBytes(of: value) { source in
      for (index, byte) in source.enumerated() { bytes[offset + index] = byte }
    }
  }

  func put(_ text: String, at offset: Int) {
    for (index, byte) in text.utf8.enumerated() { bytes[offset + index] = byte }
  }

  /// Stores into a field of a slot.
  func set<Value>(_ field: WritableKeyPath<lj_slot, Value>, _ value: Value, slot index: Int) {
    store(value, at: slot(index) + MemoryLayout<lj_slot>.offset(of: field)!)
  }

  func setHeader<Value>(_ field: WritableKeyPath<lj_arena_header, Value>, _ value: Value) {
    store(value, at: MemoryLayout<lj_arena_header>.offset(of: field)!)
  }

  /// A live thread; its name goes into the slot.
  func thread(_ index: Int, tid: UInt32, name: String) {
    set(\.phase, UInt32(LJ_PHASE_LIVE), slot: index)
    set(\.tid, tid, slot: index)
    put(name, at: slot(index) + MemoryLayout<lj_slot>.offset(of: \lj_slot.name)!)
  }

  /// A held entry inside the slot, at `place`; the count is the caller's.
  func hold(_ index: Int, place: Int, object: UInt64, kind: Int, mode: Int, count: UInt32 = 1) {
    let base = slot(index) + MemoryLayout<lj_slot>.offset(of: \lj_slot.held)!
    store(
      Self.held(object, kind: kind, mode: mode, count: count), at: base + place * MemoryLayout<lj_held>.size)
  }

  static func held(_ object: UInt64, kind: Int, mode: Int, count: UInt32 = 1) -> lj_held {
    var held = lj_held()
    held.object = object
    held.site = 0x1000
    held.count = count
    held.kind = UInt8(kind)
    held.mode = UInt8(mode)
    return held
  }

  /// Gives an extent to a slot, followed by another (its index + 1; 0: none), and fills it with holds of `object` and the
  /// addresses after it.
  func chain(_ extent: Int, ofSlot index: Int, next: UInt32, from object: UInt64 = 0, count: Int = 0) {
    let base = self.extent(extent)
    store(next, at: base)
    store(UInt32(index), at: base + MemoryLayout<lj_extent>.offset(of: \lj_extent.owner_slot)!)
    let entries = base + MemoryLayout<lj_extent>.offset(of: \lj_extent.held)!
    for place in 0..<count {
      store(
        Self.held(object + UInt64(place), kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE),
        at: entries + place * MemoryLayout<lj_held>.size)
    }
  }

  func wait(_ index: Int, sequence: UInt64, object: UInt64, kind: Int, mode: Int, stack: [UInt8] = []) {
    var wait = lj_wait()
    wait.seq = sequence
    wait.object = object
    wait.site = 0x2000
    wait.since_ns = 1_000_000
    wait.kind = UInt8(kind)
    wait.mode = UInt8(mode)
    wait.context.ip = 0x3000
    wait.context.sp = 0x7fff_0000
    wait.stack_bytes = UInt32(stack.count)
    set(\.wait, wait, slot: index)
    let at = slot(index) + MemoryLayout<lj_slot>.offset(of: \lj_slot.stack)!
    for (offset, byte) in stack.enumerated() { bytes[at + offset] = byte }
  }

  func event(_ index: Int, place: Int, begin: UInt64, outcome: Int) {
    var event = lj_event()
    event.begin_ns = begin
    event.duration_ns = 5
    event.object = 0x99
    event.kind = UInt8(LJ_KIND_MUTEX)
    event.outcome = UInt8(outcome)
    let at = slot(index) + MemoryLayout<lj_slot>.offset(of: \lj_slot.ring)!
    store(event, at: at + place * MemoryLayout<lj_event>.size)
  }

  /// Announces the slot's own ring.
  func ring(_ index: Int, head: UInt64) {
    let at = slot(index) + MemoryLayout<lj_slot>.offset(of: \lj_slot.ring)!
    set(\.ring_offset, UInt64(at), slot: index)
    set(\.ring_capacity, UInt32(LJ_RING_INLINE), slot: index)
    set(\.ring_head, head, slot: index)
  }

  func corrupt(_ offset: Int, _ change: (inout UInt8) -> Void) { change(&bytes[offset]) }

  /// Writes the file, as long as `length` says.
  func write(length: Int? = nil) {
    let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    defer { close(fd) }
    let count = min(length ?? bytes.count, bytes.count)
    bytes.withUnsafeBytes { _ = Glibc.write(fd, $0.baseAddress, count) }
  }

  func truncate(_ length: Int) { _ = Glibc.truncate(path, off_t(length)) }
}
