import CLockjawABI
import LockjawModel
import Testing

@testable import LockjawArena

@Suite("An arena is read as its format says")
struct ArenaReadingTests {
  @Test("A waiting thread is read with its wait, its holds and the top of its stack")
  func waitingThread() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "alice")
    file.hold(0, place: 0, object: 0xa0, kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE)
    file.set(\.held_count, 1, slot: 0)
    file.wait(0, sequence: 7, object: 0xb0, kind: LJ_KIND_RWLOCK, mode: LJ_MODE_WRITE, stack: [1, 2, 3])
    file.write()

    let arena = try ArenaReader(path: file.path)
    let threads = arena.threads()
    #expect(threads.count == 1)
    let alice = try #require(threads.first)
    #expect(alice.tid == ThreadID(11))
    #expect(alice.name == "alice")
    #expect(alice.held.map(\.object) == [Address(0xa0)])
    #expect(alice.wait?.object == Address(0xb0))
    #expect(alice.wait?.type == .rwlock)
    #expect(alice.wait?.mode == .write)
    #expect(alice.wait?.sequence == 7)
    #expect(arena.stackTop(inSlot: 0) == [1, 2, 3])
    #expect(arena.header.identity == ProcessIdentity(pid: 4242, startTicks: 77))
    #expect(arena.header.executable == "/usr/bin/bank")
  }

  @Test("An even wait sequence is no wait, whatever the fields still say")
  func finishedWait() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "alice")
    file.wait(0, sequence: 8, object: 0xb0, kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE)
    file.write()
    let arena = try ArenaReader(path: file.path)
    #expect(arena.threads().isEmpty)
    #expect(arena.threads(includingIdle: true).map(\.wait) == [nil])
  }

  @Test("A thread that holds a hundred locks is read whole, across extents")
  func hundredLocks() throws {
    let file = ArenaFile()
    file.thread(1, tid: 12, name: "hoarder")
    file.set(\.held_count, 100, slot: 1)
    file.set(\.held_extent, 2, slot: 1)
    for place in 0..<48 {
      file.hold(1, place: place, object: UInt64(0x1000 + place), kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE)
    }
    file.chain(1, ofSlot: 1, next: 0, from: 0x1000 + 48, count: 52)
    file.write()
    let thread = try #require(try ArenaReader(path: file.path).threads().first)
    #expect(thread.held.map(\.object.rawValue) == (0..<100).map { UInt64(0x1000 + $0) })
    #expect(!thread.heldIsIncomplete)
  }

  @Test("A chain of extents that loops or leads outside makes the list incomplete, not endless", arguments: [1, 2, 99])
  func brokenChain(link: UInt32) throws {
    let file = ArenaFile()
    file.thread(1, tid: 12, name: "hoarder")
    file.set(\.held_count, 100_000, slot: 1)
    file.set(\.held_extent, link, slot: 1)
    file.chain(0, ofSlot: 1, next: 1, from: 0x1000, count: LJ_HELD_PER_EXTENT)
    file.chain(1, ofSlot: 1, next: 1, from: 0x2000, count: LJ_HELD_PER_EXTENT)
    file.write()
    let thread = try #require(try ArenaReader(path: file.path).threads().first)
    #expect(thread.heldIsIncomplete)
    // Each extent at most once.
    #expect(Set(thread.held).count == thread.held.count)
    #expect(thread.held.count == [1: 1, 2: 2, 99: 0][link]! * LJ_HELD_PER_EXTENT)
  }

  @Test("An extent that is another slot's is not read again: the list is then incomplete")
  func anothersExtent() throws {
    let file = ArenaFile()
    for slot in 0..<2 {
      file.thread(slot, tid: UInt32(11 + slot), name: "hoarder")
      for place in 0..<48 {
        file.hold(slot, place: place, object: UInt64(0x1000 + place), kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE)
      }
      file.set(\.held_count, 60, slot: slot)
      file.set(\.held_extent, 1, slot: slot)
    }
    file.chain(0, ofSlot: 1, next: 0, from: 0x2000, count: 12)
    file.write()
    let threads = try ArenaReader(path: file.path).threads()
    #expect(threads.map(\.held.count) == [48, 60])
    #expect(threads.map(\.heldIsIncomplete) == [true, false])
  }

  @Test("A lock that others have released a hundred thousand times costs one look at the list")
  func manyReleases() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "alice")
    for place in 0..<48 {
      file.hold(0, place: place, object: 0xa0, kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE, count: .max)
    }
    file.set(\.held_count, 48, slot: 0)
    file.set(\.foreign_pending, 1, slot: 0)
    let at = file.slot(0) + MemoryLayout<lj_slot>.offset(of: \lj_slot.foreign)!
    file.store(lj_foreign(object: 0xa0, count: .max, by_tid: 12), at: at)
    file.write()
    let alice = try #require(try ArenaReader(path: file.path).threads().first)
    #expect(alice.held.count == 48)
    #expect(alice.held.last?.count == Int(UInt32.max) - 1 << 16)
  }

  @Test("A lock released by another thread is no longer the holder's")
  func foreignRelease() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "alice")
    file.hold(0, place: 0, object: 0xa0, kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE)
    file.hold(0, place: 1, object: 0xc0, kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE, count: 3)
    file.set(\.held_count, 2, slot: 0)
    file.set(\.foreign_pending, 1, slot: 0)
    let at = file.slot(0) + MemoryLayout<lj_slot>.offset(of: \lj_slot.foreign)!
    file.store(lj_foreign(object: 0xa0, count: 1, by_tid: 12), at: at)
    file.store(lj_foreign(object: 0xc0, count: 2, by_tid: 12), at: at + MemoryLayout<lj_foreign>.size)
    file.write()
    let alice = try #require(try ArenaReader(path: file.path).threads().first)
    #expect(alice.held.map(\.object) == [Address(0xc0)])
    #expect(alice.held.map(\.count) == [1])
  }

  @Test("Posts by ended threads are told; once a slot is reused, or its table full, that not all are known")
  func strangersPosts() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "worker")
    file.set(\.generation, 1, slot: 0)
    file.set(\.uses_semaphores, 1, slot: 0)
    file.set(\.posts.0, lj_post(object: 0xa0, posted_ticks: 3), slot: 0)
    file.set(\.generation, 1, slot: 1)
    file.set(\.uses_semaphores, 1, slot: 1)
    file.set(\.posts.1, lj_post(object: 0xb0, posted_ticks: 4), slot: 1)
    file.write()
    let arena = try ArenaReader(path: file.path)
    #expect(arena.threads().map(\.posts) == [[Post(object: Address(0xa0), postedTicks: 3)]])
    #expect(arena.strangersPosts() == [Address(0xa0), Address(0xb0)])

    file.set(\.generation, 2, slot: 1)
    file.write()
    #expect(try ArenaReader(path: file.path).strangersPosts() == nil)
    file.set(\.generation, 1, slot: 1)
    let base = file.slot(0) + MemoryLayout<lj_slot>.offset(of: \lj_slot.posts)!
    for place in 0..<LJ_POSTS {
      file.store(lj_post(object: UInt64(place) + 1, posted_ticks: 1), at: base + place * MemoryLayout<lj_post>.size)
    }
    file.write()
    #expect(try ArenaReader(path: file.path).strangersPosts() == nil)
  }

  @Test("The thread that ended while holding is told apart")
  func exitedHolding() throws {
    let file = ArenaFile()
    file.thread(2, tid: 13, name: "gone")
    file.set(\.phase, UInt32(LJ_PHASE_EXITED_HOLDING), slot: 2)
    file.set(\.exited_ns, 99, slot: 2)
    file.hold(2, place: 0, object: 0xa0, kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE)
    file.set(\.held_count, 1, slot: 2)
    file.write()
    let gone = try #require(try ArenaReader(path: file.path).threads().first)
    #expect(gone.phase == .exitedHolding(at: Instant(nanoseconds: 99)))
  }

  @Test("History comes newest first, and what the ring has overwritten is left out")
  func history() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "alice")
    let head = UInt64(LJ_RING_INLINE + 3)
    for index in 3..<head {
      file.event(
        0, place: Int(index) % LJ_RING_INLINE, begin: 100 + index,
        outcome: index == head - 1 ? LJ_OUTCOME_IN_PROGRESS : LJ_OUTCOME_ACQUIRED)
    }
    file.ring(0, head: head)
    file.write()
    let history = try ArenaReader(path: file.path).history(limit: 100)
    #expect(history.count == LJ_RING_INLINE)
    #expect(history.first?.wait.outcome == .inProgress)
    #expect(history.map(\.wait.begin.nanoseconds) == (3..<head).reversed().map { 100 + $0 })
    #expect(try ArenaReader(path: file.path).history(limit: 2).count == 2)
  }

  @Test("A ring that is said to lie outside its slot, or to be longer than it, is not believed")
  func ringElsewhere() throws {
    for (offset, capacity) in [
      (UInt64(0), UInt32(LJ_RING_INLINE)), (8192, 1 << 20), (UInt64(ArenaFile().slot(1)), UInt32(LJ_RING_INLINE)),
    ] {
      let file = ArenaFile()
      file.thread(0, tid: 11, name: "alice")
      file.event(0, place: 0, begin: 5, outcome: LJ_OUTCOME_ACQUIRED)
      file.ring(0, head: 1)
      file.write()
      #expect(try ArenaReader(path: file.path).history(limit: 9).count == 1)
      file.set(\.ring_offset, offset, slot: 0)
      file.set(\.ring_capacity, capacity, slot: 0)
      file.write()
      #expect(try ArenaReader(path: file.path).history(limit: 9).isEmpty)
    }
  }

  @Test("Losses are named by cause")
  func losses() throws {
    let file = ArenaFile()
    let at = MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.losses)!
    file.store(UInt64(5), at: at + LJ_LOSS_NO_MEMORY * 8)
    file.write()
    #expect(try ArenaReader(path: file.path).losses() == ["no-memory": 5])
  }

  @Test("An arena that only forwards says why")
  func disabled() throws {
    let file = ArenaFile()
    file.setHeader(\.image_state, UInt32(LJ_IMAGE_DISABLED))
    file.put("no room on /dev/shm", at: MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.reason)!)
    file.write()
    #expect(try ArenaReader(path: file.path).imageState == .disabled(reason: "no room on /dev/shm"))
  }

  @Test("File names carry the process' identity; others are not arenas")
  func names() {
    let entry = ArenaDirectory.parse("lockjaw-12-345-1.arena", in: "/d")
    #expect(entry?.identity == ProcessIdentity(pid: 12, startTicks: 345))
    #expect(entry?.imageNumber == 1)
    for name in [
      "lockjaw-12-345.arena", "lockjaw-x-1-0.arena", "lockjaw-12-345-1.txt", ".lockjaw-1-2-3.arena",
      "lockjaw--1-2-3.arena", "lockjaw-1-2-3-4.arena",
    ] {
      #expect(ArenaDirectory.parse(name, in: "/d") == nil, "\(name)")
    }
  }
}
