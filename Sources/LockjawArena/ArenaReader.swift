import CLockjawABI
import CLockjawNative
import Glibc
import LockjawModel

/// Reads one arena, live or left behind.
///
/// Owned by one thread at a time. A pass over an idle arena touches one cache line per slot; nothing is written
/// but the collector's own page, and that only by `sleep` and `claim`.
package final class ArenaReader {
  package let path: String
  package let header: ArenaHeader
  private let mapping: ArenaMapping

  /// - Parameter forCollecting: map the collector's page writable, so that `sleep(until:)` works.
  package init(path: String, forCollecting: Bool = false) throws(ArenaError) {
    let mapping = try ArenaMapping(path: path, writable: forCollecting)
    header = try ArenaHeader(mapping, path: path)
    self.path = path
    self.mapping = mapping
  }

  /// The file that is read; its path may lead to another by now.
  package var file: FileIdentity { mapping.file }

  /// Who made the file: the only user who can have put anything into it, but for root.
  package var fileUserID: UInt32 { mapping.userID }

  /// Whether `sleep` can ring.
  package var canSleep: Bool { mapping.isWritable }

  /// Pages of the file that vanished while it was read (it was truncated); what they held reads as zeros.
  package var vanishedPages: UInt64 { mapping.faultCount() }

  package var imageState: ArenaHeader.ImageState {
    guard let raw = mapping.load(lj_arena_header.self, at: 0) else { return .starting }
    switch Int(raw.image_state) {
    case LJ_IMAGE_LIVE: return .live
    case LJ_IMAGE_EXITED: return .exited(code: raw.exit_code)
    case LJ_IMAGE_DISABLED: return .disabled(reason: text(tupleBytes(raw.reason)))
    default: return .starting
    }
  }

  /// Why the shim no longer makes system calls, as a sentence; nil where it does.
  ///
  /// Threads that had a slot before are still recorded truly; later ones are not, and no wait rings the bell.
  package var quietness: String? {
    switch Int(mapping.loadAcquire32(MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.quiet_reason)!)) {
    case LJ_QUIET_NONE: return nil
    case LJ_QUIET_SECCOMP_STRICT: return Self.sandboxed("strict seccomp mode")
    default: return Self.sandboxed("a seccomp filter")
    }
  }

  private static func sandboxed(_ how: String) -> String {
    "the process is in a sandbox (\(how)); the shim keeps to threads it already knew and cannot remove the arena at exit"
  }

  /// Watchdog signals the process has received.
  package var reportRequests: UInt32 {
    mapping.loadAcquire32(MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.report_requests)!)
  }

  /// Bumped whenever the target reads its module list anew.
  package var modulesGeneration: UInt32 {
    mapping.loadAcquire32(MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.modules_generation)!)
  }

  /// How often a thread has released a lock that another had taken.
  package var foreignReleases: UInt32 {
    mapping.loadAcquire32(MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.foreign_releases)!)
  }

  /// Published slots, never more than the header's capacity.
  package var slotCount: Int {
    count(MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.slot_count)!, header.slotCapacity)
  }

  private func count(_ field: Int, _ capacity: Int) -> Int { min(Int(mapping.loadAcquire32(field)), capacity) }

  private var slots: SlotReader {
    SlotReader(
      header: header,
      extentCount: count(
        MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.extent_count)!, header.extentCapacity))
  }

  /// Threads that wait or hold something, in slot order; with `includingIdle` every thread that has a slot.
  package func threads(includingIdle: Bool = false) -> [ThreadState] {
    let slots = slots
    var result: [ThreadState] = []
    for index in 0..<slotCount {
      if let thread = slots.thread(index, in: mapping, includingIdle: includingIdle) { result.append(thread) }
    }
    return result
  }

  /// For every thread that has a slot the number of its wait: even while it does not wait, and another as soon as it has waited.
  package func waitNumbers() -> [ThreadID: UInt64] {
    let slots = slots
    let numbers = (0..<slotCount).compactMap { slots.waitNumber($0, in: mapping) }
    return Dictionary(numbers.map { ($0.tid, $0.number) }, uniquingKeysWith: { first, _ in first })
  }

  /// One slot read again: the second look at a thread seen before. `nil` where the slot is free by now.
  package func thread(inSlot index: Int) -> ThreadState? {
    guard index >= 0, index < slotCount else { return nil }
    return slots.thread(index, in: mapping, includingIdle: true)
  }

  /// Semaphores that somebody posted without having taken a permit, by threads that have ended as well; `nil` where
  /// not every such post is on record any more. Reads a line of every slot: ask where a thread waits for a semaphore.
  package func strangersPosts() -> Set<Address>? {
    let slots = slots
    var objects: Set<Address> = []
    for index in 0..<slotCount {
      guard slots.tellsEveryPost(index, in: mapping) else { return nil }
      for post in slots.posts(base: slots.offset(ofSlot: index), in: mapping) { objects.insert(post.object) }
    }
    return objects
  }

  /// The stack from the waiter's `context.sp` upwards as it was when the wait in this slot began.
  package func stackTop(inSlot index: Int) -> [UInt8] {
    guard index >= 0, index < slotCount else { return [] }
    return slots.stackTop(index, in: mapping)
  }

  package func modules() -> [Module] {
    let total = count(MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.module_count)!, header.moduleCapacity)
    return (0..<total).compactMap { index in
      guard let raw = mapping.load(lj_module.self, at: header.modulesOffset + index * MemoryLayout<lj_module>.size),
        raw.start < raw.end, raw.text_start <= raw.text_end
      else { return nil }
      return Module(
        path: text(tupleBytes(raw.path)), start: Address(raw.start), end: Address(raw.end),
        textStart: Address(raw.text_start), textEnd: Address(raw.text_end), textOffset: raw.text_offset,
        buildID: hexadecimal(tupleBytes(raw.build_id).prefix(min(Int(raw.build_id_bytes), 32))), inode: raw.inode)
    }
  }

  /// Lost events by cause; causes that lost nothing are left out.
  package func losses() -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    let base = MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.losses)!
    for (index, name) in lossNames.enumerated() {
      let lost = mapping.loadAcquire64(base + index * 8)
      if lost > 0 { result[name] = lost }
    }
    return result
  }

  // MARK: - The collector's side of the bell

  private static let bell = MemoryLayout<lj_collector_page>.offset(of: \lj_collector_page.bell)!
  private static let mask = MemoryLayout<lj_collector_page>.offset(of: \lj_collector_page.wake_mask)!
  private static let pid = MemoryLayout<lj_collector_page>.offset(of: \lj_collector_page.collector_pid)!
  private static let done = MemoryLayout<lj_collector_page>.offset(of: \lj_collector_page.reports_done)!
  private static let ticks = MemoryLayout<lj_collector_page>.offset(of: \lj_collector_page.collector_start_ticks)!

  /// Takes or gives back the arena's place for a collector, so that the watchdog signal knows whom to ask.
  /// - Returns: false where another live collector has it.
  package func claim(pid: Int32, startTicks: UInt64, isAlive: (ProcessIdentity) -> Bool) -> Bool {
    guard let word = mapping.collectorWord(Self.pid), let since = mapping.collectorWord(Self.ticks) else {
      return false
    }
    let other = lj_load_acquire32(word)
    if other != 0, other != UInt32(bitPattern: pid),
      isAlive(ProcessIdentity(pid: Int32(bitPattern: other), startTicks: lj_load_acquire64(since)))
    {
      return false
    }
    lj_store_release64(since, startTicks)
    lj_store_release32(word, UInt32(bitPattern: pid))
    return true
  }

  package func disclaim() {
    if let word = mapping.collectorWord(Self.mask) { lj_store_release32(word, 0) }
    if let word = mapping.collectorWord(Self.pid) { lj_store_release32(word, 0) }
  }

  /// Tells the target's watchdog handler that its requests up to `count` have been served.
  package func acknowledge(reports count: UInt32) {
    if let word = mapping.collectorWord(Self.done) { lj_store_release32(word, count) }
  }

  /// Which beginning waits end a `sleep`.
  package struct Wakeups: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let locks = Wakeups(rawValue: UInt32(LJ_WAKE_LOCKS))
    package static let softWaits = Wakeups(rawValue: UInt32(LJ_WAKE_SOFT))
    package static let signals = Wakeups(rawValue: UInt32(LJ_WAKE_SIGNAL))
  }

  /// The bell's count: take it before a pass and give it to `sleep`, so that a wait that began in between is not
  /// slept through.
  package var bellCount: UInt32 { mapping.collectorWord(Self.bell).map { lj_load_acquire32($0) } ?? 0 }

  /// Arms the bell. From here on the first matching wait rings it; look once more before `sleep`.
  package func arm(_ wakeups: Wakeups) {
    guard let word = mapping.collectorWord(Self.mask) else { return }
    lj_store_release32(word, wakeups.rawValue)
    // Partner: the full fence between a waiter's odd wait.seq and its look at wake_mask. One of the two sees the other.
    lj_fence_full()
  }

  /// Sleeps until the bell's count differs from `count` or the time is over.
  package func sleep(from count: UInt32, timeoutMilliseconds: Int?) {
    guard let word = mapping.collectorWord(Self.bell) else { return }
    // A process in a sandbox rings no bell.
    let limit = quietness == nil ? timeoutMilliseconds : min(timeoutMilliseconds ?? .max, 50)
    lj_futex_wait(word, count, Int64(limit ?? -1))
  }
}

// MARK: - Rings and tables

extension ArenaReader {
  func loadAcquire32(_ offset: Int) -> UInt32 { mapping.loadAcquire32(offset) }
  func loadAcquire64(_ offset: Int) -> UInt64 { mapping.loadAcquire64(offset) }
  func load<T: BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T? { mapping.load(type, at: offset) }
  func collectorWord(_ field: Int) -> UnsafeMutableRawPointer? { mapping.collectorWord(field) }

  /// Whether any thread ever had a ring, a table of sites or a name of its own for a lock.
  package var hasHistory: Bool { publishedHistoryBytes > 0 }

  /// Bytes of the arena's history that have been handed out to slots.
  var publishedHistoryBytes: Int {
    count(MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.history_units)!, header.historyCapacity)
      * LJ_HISTORY_UNIT
  }

  /// Where in the file a slot keeps what it says of its ring and tables; `nil` for a slot that is not published.
  func history(inSlot index: Int) -> Int? {
    guard index >= 0, index < slotCount else { return nil }
    return slots.offset(ofSlot: index) + MemoryLayout<lj_slot>.offset(of: \lj_slot.history)!
  }

  func tid(inSlot index: Int) -> ThreadID {
    ThreadID(Int32(truncatingIfNeeded: mapping.loadAcquire32(slots.offset(ofSlot: index) + SlotReader.tid)))
  }

  /// The same offset as an index into the file, if all of the range has been handed out.
  func historyRange(_ offset: UInt64, byteCount: Int) -> Int? {
    guard offset % 64 == 0, offset >= UInt64(header.historyOffset), offset < 1 << 32,
      Int(offset) + byteCount <= header.historyOffset + publishedHistoryBytes
    else { return nil }
    return Int(offset)
  }

  /// The same of a number of bytes from a unit on; units are counted from 1.
  func historyRange(unit: UInt32, byteCount: Int) -> Int? {
    guard unit > 0 else { return nil }
    return historyRange(UInt64(header.historyOffset) + UInt64(unit - 1) * UInt64(LJ_HISTORY_UNIT), byteCount: byteCount)
  }

  func load(_: RingFields.Type, slot base: Int) -> RingFields? {
    guard base >= 0, base <= mapping.byteCount - MemoryLayout<lj_slot>.size else { return nil }
    func at(_ key: PartialKeyPath<lj_slot>) -> Int { base + (MemoryLayout<lj_slot>.offset(of: key) ?? 0) }
    return RingFields(
      phase: mapping.loadAcquire32(at(\lj_slot.phase)), tid: mapping.loadAcquire32(at(\lj_slot.tid)),
      name: text(mapping.bytes(at: at(\lj_slot.name), count: 16)),
      offset: mapping.loadAcquire64(at(\lj_slot.ring_offset)),
      capacity: mapping.loadAcquire32(at(\lj_slot.ring_capacity)), head: mapping.loadAcquire64(at(\lj_slot.ring_head)))
  }

  func event(at offset: Int) -> lj_event? { mapping.load(lj_event.self, at: offset) }
}
