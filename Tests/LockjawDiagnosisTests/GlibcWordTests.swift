import LockjawModel
import Testing

@testable import LockjawDiagnosis

/// What the decoder says of objects whose state is known because a real program brought them there.
@Suite struct GlibcWordTests {
  static let address = Address(0x7f00_0000_1000)

  private func word(_ label: String) throws -> (word: LockWord, main: ThreadID, other: ThreadID) {
    let objects = try GlibcStateProgram.objects.get()
    let object = try #require(objects[label], "The program printed no \(label)")
    let word = try #require(
      GlibcWord.decode(object.type, at: Self.address) { address, count in
        address == Self.address && count <= object.bytes.count ? Array(object.bytes.prefix(count)) : nil
      })
    #expect(word.byteCount == object.bytes.count, "\(label): the whole object, and no more")
    #expect(word.address == Self.address)
    #expect(word.type == object.type)
    return (word, object.main, object.other)
  }

  // MARK: mutexes

  @Test(
    "A mutex that is free, or was released, is free",
    arguments: ["mutex-free", "mutex-released", "mutex-protected-free"])
  func freeMutex(label: String) throws {
    let (word, _, _) = try word(label)
    #expect(!word.isTaken)
    #expect(word.owner == nil)
    #expect(word.recordsOwner)
    #expect(word.description == "free")
  }

  @Test(
    "A locked mutex of any type names its owner",
    arguments: [
      ("mutex-locked", "normal"), ("mutex-contended", "normal"), ("mutex-errorcheck", "errorcheck"),
      ("mutex-adaptive", "adaptive"), ("mutex-shared", "normal, process-shared"), ("pi-locked", "normal, PI"),
      ("pi-contended", "normal, PI"), ("robust-contended", "recursive, robust"),
    ])
  func lockedMutex(label: String, variant: String) throws {
    let (word, main, _) = try word(label)
    #expect(word.isTaken)
    #expect(word.owner == main)
    #expect(word.variant == variant)
    let hasWaiters = label.hasSuffix("contended")
    #expect(word.description == "locked by thread \(main)" + (hasWaiters ? ", perhaps with waiters" : ""))
  }

  @Test("A recursive mutex says how often it is locked")
  func recursiveMutex() throws {
    let (word, main, _) = try word("mutex-recursive")
    #expect(word.owner == main)
    #expect(word.description == "locked by thread \(main), 3 times")
  }

  @Test("A mutex whose owner exited still names it", arguments: ["mutex-owner-exited", "pi-owner-exited"])
  func exitedOwner(label: String) throws {
    let (word, main, other) = try word(label)
    #expect(word.isTaken)
    #expect(word.owner == other)
    #expect(other != main)
  }

  @Test("A robust mutex whose owner died is free for the next, who then owns it unrepaired, or never again")
  func robustMutex() throws {
    let died = try word("robust-owner-died").word
    #expect(!died.isTaken)
    #expect(died.owner == nil)
    #expect(died.description == "free, left by an owner that died")
    let (inconsistent, main, _) = try word("robust-inconsistent")
    #expect(inconsistent.owner == main)
    #expect(inconsistent.description == "locked by thread \(main), not yet consistent after its owner died")
    let lost = try word("robust-not-recoverable").word
    #expect(lost.owner == nil)
    #expect(lost.description.hasPrefix("not recoverable"))
  }

  @Test("A priority-protected mutex's ceiling is not mistaken for a lock")
  func protectedMutex() throws {
    let objects = try GlibcStateProgram.objects.get()
    // Locking one needs the right to raise the thread's priority; the free one is tested above in any case.
    guard objects["mutex-protected"] != nil else { return }
    let (word, main, _) = try word("mutex-protected")
    #expect(word.owner == main)
    #expect(word.variant == "normal, priority-protected")
  }

  @Test("A destroyed mutex is called destroyed")
  func destroyedMutex() throws {
    let (word, _, _) = try word("mutex-destroyed")
    #expect(!word.isTaken)
    #expect(!word.recordsOwner)
    #expect(word.description == "destroyed")
  }

  // MARK: rwlocks

  static let kinds = ["default", "writer", "nonrecursive"]

  @Test("A free rwlock is free, also when its last phase was a writer's", arguments: kinds)
  func freeRwlock(kind: String) throws {
    for state in ["free", "free-in-write-phase"] {
      let (word, _, _) = try word("rwlock-\(kind)-\(state)")
      #expect(!word.isTaken)
      #expect(word.readerCount == 0)
      #expect(word.owner == nil)
      #expect(word.hasPendingWriter == false)
      #expect(word.policy == (kind == "nonrecursive" ? .prefersWriters : .prefersReaders))
    }
  }

  @Test("Readers are counted, each time one enters", arguments: kinds)
  func readRwlock(kind: String) throws {
    #expect(try word("rwlock-\(kind)-read").word.readerCount == 1)
    let (word, _, _) = try word("rwlock-\(kind)-read-twice")
    #expect(word.readerCount == 2)
    #expect(word.isTaken)
    #expect(word.owner == nil)
    #expect(word.hasPendingWriter == false)
    #expect(word.description == "read-locked by 2 readers")
  }

  @Test("A writer that waits for readers is pending", arguments: kinds)
  func pendingWriter(kind: String) throws {
    let (word, _, _) = try word("rwlock-\(kind)-writer-pending")
    #expect(word.readerCount == 2)
    #expect(word.owner == nil)
    #expect(word.hasPendingWriter == true)
    #expect(word.description == "read-locked by 2 readers, a writer waits")
  }

  @Test("A reader held back by a pending writer is not counted as inside")
  func heldBackReader() throws {
    let (word, _, _) = try word("rwlock-nonrecursive-reader-behind-pending-writer")
    #expect(word.readerCount == 2)
    #expect(word.hasPendingWriter == true)
    #expect(word.policy == .prefersWriters)
  }

  @Test("The writer inside is named, and readers that wait for it are not counted as inside", arguments: kinds)
  func writtenRwlock(kind: String) throws {
    let (alone, main, _) = try word("rwlock-\(kind)-written")
    #expect(alone.owner == main)
    #expect(alone.readerCount == 0)
    #expect(alone.isTaken)
    #expect(alone.description == "write-locked by thread \(main)")
    let (waited, _, _) = try word("rwlock-\(kind)-reader-behind-writer")
    #expect(waited.owner == main)
    #expect(waited.readerCount == 0)
    #expect(waited.description == "write-locked by thread \(main), 1 reader waits")
  }

  @Test("A second writer is pending where the kind registers it, and else it cannot be told", arguments: kinds)
  func secondWriter(kind: String) throws {
    let (word, main, _) = try word("rwlock-\(kind)-writer-behind-writer")
    #expect(word.owner == main)
    #expect(word.hasPendingWriter == (kind == "default" ? nil : true))
  }

  @Test("An rwlock handed to a writer that sleeps still is taken by nobody by name")
  func handedOver() throws {
    // One registered writer, write phase, primary role taken, current writer not written yet.
    var bytes = [UInt8](repeating: 0, count: 56)
    bytes[0] = 3
    bytes[4] = 1
    bytes[7] = 0x80
    let word = try #require(GlibcWord.decode(.rwlock, at: Self.address) { _, _ in bytes })
    #expect(word.isTaken)
    #expect(word.owner == nil)
    #expect(word.readerCount == 0)
    #expect(word.description.hasPrefix("write-locked, handed to a writer"))
  }

  // MARK: the rest

  @Test("A semaphore tells its value and its waiters, never a holder")
  func semaphores() throws {
    #expect(try word("sem-two").word.description == "value 2, 0 waiters")
    #expect(try !word("sem-two").word.isTaken)
    let zero = try word("sem-zero").word
    #expect(zero.isTaken)
    #expect(!zero.recordsOwner)
    #expect(try word("sem-waiter").word.description == "value 0, 1 waiter")
  }

  @Test("A spinlock is free at 1 and locked below")
  func spinlocks() throws {
    #expect(try !word("spin-free").word.isTaken)
    #expect(try word("spin-locked").word.isTaken)
    #expect(try !word("spin-locked").word.recordsOwner)
  }

  @Test("Barriers, conditions and onces tell who has arrived, who waits, and how far they are")
  func signals() throws {
    #expect(try word("barrier-one-of-two").word.description == "1 of 2 threads have arrived")
    #expect(try word("cond-idle").word.description == "0 waiters")
    #expect(try word("cond-two-waiters").word.description == "2 waiters")
    #expect(try word("once-fresh").word.description == "not begun")
    #expect(try word("once-in-progress").word.isTaken)
    #expect(try word("once-done").word.description == "done")
  }

  @Test("A PI futex names its owner")
  func priorityInheritingFutex() throws {
    let (word, main, _) = try word("pi-futex-locked")
    #expect(word.owner == main)
    #expect(word.recordsOwner)
  }

  @Test(
    "What cannot be read is not decoded, and neither a join, nor a lock of the program itself, nor what the kernel keeps has a word"
  )
  func unreadable() {
    for type in LockType.allCases {
      #expect(GlibcWord.decode(type, at: Self.address) { _, _ in nil } == nil)
      #expect(GlibcWord.decode(type, at: Self.address) { _, count in [UInt8](repeating: 0, count: count - 1) } == nil)
    }
    for type in LockType.allCases where !Self.withWords.contains(type) {
      #expect(GlibcWord.decode(type, at: Self.address) { _, count in [UInt8](repeating: 0, count: count) } == nil)
    }
  }

  private static let withWords = LockType.allCases.filter {
    ![.join, .staticGuard, .custom].contains($0) && !$0.isKernelObject
  }

  @Test("Any bytes at all decode to a word that stays within its ranges", arguments: Self.withWords)
  func hostile(type: LockType) {
    var generator = SystemRandomNumberGenerator()
    for fill: UInt8? in [0x00, 0xff, 0x7f, 0x80, nil] {
      for _ in 0..<(fill == nil ? 5_000 : 1) {
        var seen: [UInt8] = []
        let word = GlibcWord.decode(type, at: Self.address) { _, count in
          seen = (0..<count).map { _ in fill ?? UInt8.random(in: 0...255, using: &generator) }
          return seen
        }
        guard let word else {
          Issue.record("\(type) did not decode \(seen)")
          return
        }
        #expect((word.owner?.rawValue ?? 1) > 0, "\(seen)")
        #expect((word.readerCount ?? 0) >= 0, "\(seen)")
        #expect(word.isTaken || word.owner == nil, "A free lock has no owner: \(seen)")
        #expect(!word.description.isEmpty, "\(seen)")
      }
    }
  }
}
