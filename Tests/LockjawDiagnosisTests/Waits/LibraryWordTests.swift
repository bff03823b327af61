import LockjawInspect
import LockjawModel
import Testing

@testable import LockjawDiagnosis

/// What words mean that no well-behaved program can be brought to show, and that no bytes at all can do harm.
@Suite struct LibraryWordTests {
  static let address = Address(0x10000)

  private func word(_ library: LockLibrary, _ type: LockType, _ value: UInt64, isSleptOn: Bool = false) throws
    -> LockWord
  {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } + [UInt8](repeating: 0, count: 64)
    return try #require(
      LibraryWord.decode(
        library, type, at: Self.address, memory: MemoryImage(base: Self.address, bytes: bytes), isSleptOn: isSleptOn))
  }

  /// A lock inside glibc: word, depth and the owner's descriptor; and that descriptor, with what it has at 0, at 16 and as its thread id.
  private func internalLock(
    _ lock: UInt64, depth: UInt64 = 1, owner: UInt64, descriptor: (UInt64, UInt64, UInt64)? = nil
  ) -> GlibcInternalWord? {
    func bytes(_ values: [UInt64]) -> [UInt8] {
      values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }
    }
    var layers: [any MemoryReader] = [MemoryImage(base: Self.address, bytes: bytes([lock | depth << 32, owner]))]
    if let (tcb, itself, tid) = descriptor {
      let padding = [UInt64](repeating: 0, count: (720 - 24) / 8)
      layers.append(MemoryImage(base: Address(owner), bytes: bytes([tcb, 0, itself] + padding + [tid])))
    }
    return GlibcInternalWord(at: Self.address, memory: LayeredMemory(layers))
  }

  @Test("A lock inside glibc names its owner by the owner's descriptor, and is told by it from anything else")
  func glibcInternal() throws {
    let thread: UInt64 = 0x7f00_0000_1000
    let taken = try #require(internalLock(2, owner: thread, descriptor: (thread, thread, 4711)))
    #expect(taken.isTakenByThread)
    let word = taken.lockWord(at: Self.address)
    #expect(word.owner == ThreadID(4711) && word.isTaken && word.recordsOwner && word.library == .glibcInternal)
    #expect(word.description == "locked by thread 4711, perhaps with waiters")
    // Newer releases begin to count at 0.
    #expect(internalLock(1, depth: 0, owner: thread, descriptor: (thread, thread, 4711))?.isTakenByThread == true)

    let free = try #require(internalLock(0, depth: 0, owner: 0))
    #expect(!free.isTakenByThread && !free.lockWord(at: Self.address).isTaken)
    let young = try #require(internalLock(1, depth: 0, owner: 0))
    #expect(!young.isTakenByThread && young.lockWord(at: Self.address).owner == nil)
    let ended = try #require(internalLock(2, owner: thread, descriptor: (thread, thread, 0)))
    #expect(ended.isTakenByThread && ended.lockWord(at: Self.address).owner == nil)
  }

  @Test(
    "What the owner field of a lock inside glibc points at is believed only where it is a descriptor",
    arguments: [0, 1, 8, 4711, 0x7f00_0000_1001, 0xffff_8000_0000_0000, .max] as [UInt64])
  func noDescriptor(owner: UInt64) throws {
    #expect(internalLock(2, owner: owner)?.isTakenByThread == false)
    let thread: UInt64 = 0x7f00_0000_1000
    for descriptor: (UInt64, UInt64, UInt64) in [(thread, 0, 4711), (0, thread, 4711), (owner, owner, 4711)] {
      #expect(internalLock(2, owner: thread, descriptor: descriptor)?.isTakenByThread == false)
    }
    #expect(internalLock(3, owner: thread, descriptor: (thread, thread, 4711))?.isTakenByThread == false)
  }

  @Test("parking_lot's all-ones word is an impossible state, in words, with no reader believed")
  func allBitsSet() throws {
    let word = try word(.parkingLot, .rwlock, .max)
    #expect(word.impossibility == "all bits set: impossible state of parking_lot::RawRwLock")
    #expect(word.description == word.impossibility)
    #expect(word.readerCount == nil && word.holderCount == nil && word.mode == nil)
    #expect(word.isTaken && word.hasWaiters == true)
    #expect(word.policy == nil, "else its readers would seem to wait for its writers")
  }

  @Test(
    "So are other words that its rules exclude",
    arguments: [
      UInt64.max - 1,  // as the double release leaves it, before a reader parks
      0b0010,  // a parked writer that has not announced itself
      0b1_1100,  // upgradable under a writer
      0b0100,  // upgradable without a reader
    ])
  func impossibleRwlock(value: UInt64) throws {
    let word = try word(.parkingLot, .rwlock, value)
    #expect(word.impossibility?.hasSuffix("impossible state of parking_lot::RawRwLock") == true)
    #expect(word.holderCount == nil)
  }

  @Test(
    "What parking_lot's rwlock can be is possible, and says who is inside",
    arguments: [
      (0, 0, false, "free"), (8, 0, true, "write-locked, no owner recorded"),
      (0x10, 1, true, "read-locked by 1 reader, no owner recorded"),
      (0x14, 1, true, "read-locked by 1 reader, upgradable, no owner recorded"),
      (0x2b, 2, true, "read-locked by 2 readers, a writer waits for them to leave, waiters parked, no owner recorded"),
      (9, 0, true, "write-locked, waiters parked, no owner recorded"), (1, 0, false, "free, waiters parked"),
    ] as [(UInt64, Int, Bool, String)])
  func possibleRwlock(value: UInt64, readers: Int, isTaken: Bool, description: String) throws {
    let word = try word(.parkingLot, .rwlock, value)
    #expect(word.impossibility == nil)
    #expect(word.readerCount == readers)
    #expect(word.isTaken == isTaken)
    #expect(word.description == description)
  }

  @Test("Other libraries' impossible words are named as such")
  func impossibleOthers() throws {
    #expect(try word(.parkingLot, .mutex, 0x77).impossibility == "0x77: impossible state of parking_lot::RawMutex")
    #expect(try word(.parkingLot, .once, 5).impossibility != nil)
    #expect(try word(.rustStd, .mutex, 3).impossibility == "0x3: impossible state of std::sync::Mutex")
    #expect(try word(.rustStd, .once, 9).impossibility != nil)
    #expect(try word(.abseil, .rwlock, 0x109).impossibility?.contains("reading and writing at once") == true)
  }

  @Test("A Rust rwlock's most readers are not a writer, and a writer is no reader")
  func rustRwlock() throws {
    #expect(try word(.rustStd, .rwlock, 0x3fff_fffe).readerCount == 0x3fff_fffe)
    #expect(try word(.rustStd, .rwlock, 0x3fff_fffe).mode == .read)
    let written = try word(.rustStd, .rwlock, 0xffff_ffff)
    #expect(written.mode == .write && written.readerCount == 0)
    #expect(try word(.rustStd, .rwlock, 0xc000_0000).description == "free, readers wait, writers wait")
    #expect(try !word(.rustStd, .rwlock, 0xc000_0000).isTaken)
  }

  @Test("A Rust Once is told apart by release only where somebody sleeps on it")
  func rustOnce() throws {
    #expect(try word(.rustStd, .once, 5).isTaken)
    #expect(try word(.rustStd, .once, 3, isSleptOn: true).isTaken)
    #expect(try !word(.rustStd, .once, 3).isTaken)
    #expect(try word(.rustStd, .once, 1).description.contains("1.84"))
  }

  @Test("Any bytes decode to a word within its ranges", arguments: LockLibrary.allCases, LockType.allCases)
  func hostileWords(library: LockLibrary, type: LockType) {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      let bytes = (0..<64).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let memory = MemoryImage(base: Self.address, bytes: bytes)
      guard let word = LibraryWord.decode(library, type, at: Self.address, memory: memory) else { continue }
      #expect((word.readerCount ?? 0) >= 0 && (word.holderCount ?? 0) >= 0, "\(bytes)")
      #expect((word.owner?.rawValue ?? 1) > 0, "\(bytes)")
      #expect(!word.description.isEmpty)
      #expect(word.library == library)
    }
    #expect(
      LibraryWord.decode(library, type, at: Address(.max), memory: MemoryImage(base: Self.address, bytes: [])) == nil)
  }

  @Test("Beside a nameless condition, a word that only resembles a lock's state makes nobody a writer")
  func resemblance() {
    let state: UInt64 = 0x1000
    func library(_ value: UInt32, sleptOn: Set<Address>?) -> LockLibrary {
      let bytes = withUnsafeBytes(of: value) { Array($0) } + [27, 0, 0, 0]
      return WaitDecoder(memory: MemoryImage(base: Address(state), bytes: bytes), sleptOn: sleptOn).decode(
        SleepingThread(
          tid: ThreadID(1),
          futex: FutexWait(word: Address(state + 4), operation: 0x89, expected: 27, hasTimeLimit: false),
          stack: [Frame(function: "syscall", module: "libc.so.6", offset: 0)], stackPointer: Address(0x7000))
      ).library
    }
    // Written, and readers and writers wait: true only where a reader sleeps on the state.
    let all: UInt32 = .max
    #expect(library(all, sleptOn: [Address(state + 4)]) == .unknown)
    #expect(library(all, sleptOn: [Address(state + 4), Address(state)]) == .rustStd)
    // More readers than there can be threads; three readers; a writer.
    #expect(library(0xbfff_15ff, sleptOn: [Address(state + 4)]) == .unknown)
    #expect(library(0x8000_0003, sleptOn: [Address(state + 4)]) == .rustStd)
    #expect(library(0xbfff_ffff, sleptOn: [Address(state + 4)]) == .rustStd)
  }

  /// Every address is readable, and says something else each time: worse than any process.
  private struct Noise: MemoryReader {
    func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
      var generator = SystemRandomNumberGenerator()
      for index in buffer.indices {
        // Small values and pointers into the noise, so that checks are passed now and then.
        buffer[index] = Bool.random(using: &generator) ? 0 : UInt8.random(in: 0...255, using: &generator)
      }
      return buffer.count
    }
  }

  @Test("Memory full of noise is decoded in bounded time to something that is sure of nothing by name")
  func hostileWaits() {
    let decoder = WaitDecoder(memory: Noise())
    var generator = SystemRandomNumberGenerator()
    let edges: [UInt64] = [0, 1, 3, 4, 31, 32, 4095, .max, .max - 7, 1 << 47]
    for round in 0..<400 {
      let word = round < edges.count ? edges[round] : UInt64.random(in: 0...UInt64.max, using: &generator)
      let expected =
        [0, 1, 2, 5, .max, 0x8000_0010, UInt32.random(in: 0...UInt32.max, using: &generator)].randomElement() ?? 0
      for operation: UInt32 in [0, 0x80, 0x89, 0x109, 0x86, 0xd] {
        for module in ["libc.so.6", "libc.so", "program"] {
          let sleeper = SleepingThread(
            tid: ThreadID(1),
            futex: FutexWait(word: Address(word), operation: operation, expected: expected, hasTimeLimit: false),
            stack: [Frame(function: module == "program" ? nil : "syscall", module: module, offset: 0)],
            stackPointer: Address(word), preserved: [word])
          let wait = decoder.decode(sleeper)
          #expect(wait.basis != .function)
          #expect(!wait.evidence.isEmpty)
        }
      }
    }
  }

  @Test(
    "A function's name is reduced to its path",
    arguments: [
      ("std::sys::sync::mutex::futex::Mutex::lock_contended", "std::sys::sync::mutex::futex::Mutex::lock_contended"),
      (
        "<std::sys::sync::rwlock::futex::RwLock>::write_contended",
        "std::sys::sync::rwlock::futex::RwLock::write_contended"
      ),
      ("<a::B<C> as d::E>::f::<u8>", "a::B::f"),
      ("std::sync::mpsc::Receiver<T>::recv::{{closure}}", "std::sync::mpsc::Receiver::recv"),
      ("absl::debian3::Mutex::LockSlow(absl::debian3::MuHowS const*, int)", "absl::Mutex::LockSlow"),
      ("absl::lts_20230125::Mutex::Block()", "absl::Mutex::Block"), ("___pthread_mutex_lock", "pthread_mutex_lock"),
      ("__GI___pthread_rwlock_wrlock", "pthread_rwlock_wrlock"),
      ("pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait"),
      ("", ""), ("<<<", ""), (">>>", ""), ("a::", "a"),
    ])
  func names(text: String, path: String) {
    #expect(SimpleName(text).path == path)
  }

  @Test("A program's own function of a library's name is not taken for it")
  func ownNames() {
    for name in [
      "my::Mutex::lock_contended", "bank::RwLock::read_contended", "Parker::park", "Queue::sem_wait",
      "mystd::sys::Mutex::lock_contended",
    ] {
      #expect(WaitFunction.innermost(in: [Frame(function: name, module: "program", offset: 0)]) == nil, "\(name)")
    }
  }
}
