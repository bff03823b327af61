import LockjawModel
import Testing

@testable import LockjawGraph

/// The propositions of `Demand.swift` and `HolderRules.swift`, one by one.
@Suite struct HolderRuleTests {
  @Test("A mutex waiter waits for the owner that word and arena agree on, with the arena's acquire site")
  func agreement() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)])
    scene.thread(2, waits: .mutex(0xa0))
    scene.agree()
    let edge = try #require(scene.graph.edge(of: 2))
    #expect(edge.holders == tids(1))
    #expect(edge.evidence == .arena)
    #expect(edge.holderMode == .exclusive)
    #expect(edge.hold?.site.address == Address(0x40))
    #expect(scene.graph.notes.isEmpty)
  }

  @Test("Without a word the arena's entry is the evidence")
  func arenaAlone() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)])
    scene.thread(2, waits: .mutex(0xa0))
    let edge = try #require(scene.graph.edge(of: 2))
    #expect(edge.holders == tids(1))
    #expect(edge.evidence == .arena)
  }

  @Test("An owner that only the word names is found by its owner field, also one without a slot")
  func wordAlone() throws {
    var scene = Scene()
    scene.thread(2, waits: .mutex(0xa0))
    scene.thread(3, waits: .mutex(0xb0))
    scene.agree()
    scene.words[Address(0xa0)]?.isTaken = true
    scene.words[Address(0xa0)]?.owner = ThreadID(99)
    scene.words[Address(0xb0)]?.isTaken = true
    scene.words[Address(0xb0)]?.owner = ThreadID(2)
    let external = try #require(scene.graph.edge(of: 2))
    #expect(external.holders == tids(99))
    #expect(external.evidence == .ownerField)
    #expect(external.hold == nil)
    let known = try #require(scene.graph.edge(of: 3))
    #expect(known.holders == tids(2))
    #expect(known.evidence == .ownerField)
  }

  @Test("Where several threads list a mutex, its word decides and the stale entry is noted")
  func staleEntry() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)])
    scene.thread(2, holds: [.mutex(0xa0)])
    scene.thread(3, waits: .mutex(0xa0))
    scene.agree()
    scene.words[Address(0xa0)]?.owner = ThreadID(2)
    let edge = try #require(scene.graph.edge(of: 3))
    #expect(edge.holders == tids(2))
    #expect(edge.evidence == .arena)
    #expect(scene.graph.notes.count == 1)
    #expect(scene.graph.notes.first?.contains("thread 1 holds it is stale") == true)
  }

  @Test("A word that says free leaves no holder, whatever the arena lists")
  func freeWord() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)])
    scene.thread(2, waits: .mutex(0xa0))
    scene.agree()
    scene.words[Address(0xa0)]?.isTaken = false
    scene.words[Address(0xa0)]?.owner = nil
    let edge = try #require(scene.graph.edge(of: 2))
    #expect(edge.holders.isEmpty)
    #expect(edge.evidence == .none)
    #expect(edge.blocking == .unknown)
  }

  @Test("A spinlock's word names nobody, so the arena's entry counts")
  func spinlock() throws {
    var scene = Scene()
    scene.thread(1, holds: [.spin(0xa0)])
    scene.thread(2, waits: .on(.spinlock, .exclusive, 0xa0))
    scene.words[Address(0xa0)] = LockWord(
      address: Address(0xa0), type: .spinlock, recordsOwner: false, isTaken: true, description: "", byteCount: 4)
    #expect(scene.graph.edge(of: 2)?.holders == tids(1))
  }

  @Test("A writer waits for every reader inside, itself included")
  func writerBehindReaders() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa0)])
    scene.thread(2, holds: [.read(0xa0)])
    scene.thread(3, holds: [.read(0xa0)], waits: .write(0xa0))
    scene.agree()
    let edge = try #require(scene.graph.edge(of: 3))
    #expect(edge.holders == tids(1, 2, 3))
    #expect(edge.holderMode == .read)
  }

  @Test("A reader waits for the writer inside")
  func readerBehindWriter() throws {
    var scene = Scene()
    scene.thread(1, holds: [.write(0xa0)])
    scene.thread(2, waits: .read(0xa0))
    scene.agree()
    let edge = try #require(scene.graph.edge(of: 2))
    #expect(edge.holders == tids(1))
    #expect(edge.holderMode == .write)
  }

  @Test("A reader behind a pending writer waits for that writer, where the lock prefers writers")
  func readerBehindPendingWriter() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa0)])
    scene.thread(2, waits: .write(0xa0))
    scene.thread(3, waits: .write(0xa0))
    scene.thread(4, waits: .read(0xa0))
    scene.agree(prefersWriters: true)
    let edge = try #require(scene.graph.edge(of: 4))
    #expect(edge.holders == tids(2, 3))
    #expect(edge.blocking == .pendingWriter)
    #expect(edge.holderMode == nil)
  }

  @Test("Where the lock prefers readers, or does not say, a pending writer holds no reader back")
  func readerPreferred() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa0)])
    scene.thread(2, waits: .write(0xa0))
    scene.thread(3, waits: .read(0xa0))
    #expect(scene.graph.edge(of: 3)?.holders == [])
    scene.agree()
    #expect(scene.graph.edge(of: 3)?.holders == [])
  }

  @Test("A reader waits for the writers in line while the lock is handed over to one of them")
  func handedOver() throws {
    var scene = Scene()
    scene.thread(2, waits: .write(0xa0))
    scene.thread(3, waits: .read(0xa0))
    scene.agree()
    scene.words[Address(0xa0)]?.isTaken = true
    #expect(scene.graph.edge(of: 3)?.holders == tids(2))
    #expect(scene.graph.candidates().isEmpty)
  }

  @Test("A word without readers drops read entries; a word with readers drops a write entry")
  func rwlockStale() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa0)])
    scene.thread(2, holds: [.write(0xa0)])
    scene.thread(3, waits: .write(0xa0))
    scene.agree()
    scene.words[Address(0xa0)]?.readerCount = 0
    #expect(scene.graph.edge(of: 3)?.holders == tids(2))
    scene.words[Address(0xa0)]?.readerCount = 1
    scene.words[Address(0xa0)]?.owner = nil
    #expect(scene.graph.edge(of: 3)?.holders == tids(1))
    #expect(scene.graph.notes.count == 1)
  }

  @Test("A writer that only the rwlock's word names stands in readers' and writers' way")
  func rwlockOwnerField() throws {
    var scene = Scene()
    scene.thread(1, waits: .read(0xa0))
    scene.thread(2, waits: .write(0xa0))
    scene.agree()
    scene.words[Address(0xa0)]?.isTaken = true
    scene.words[Address(0xa0)]?.owner = ThreadID(9)
    for waiter: Int32 in [1, 2] {
      let edge = try #require(scene.graph.edge(of: waiter))
      #expect(edge.holders == tids(9))
      #expect(edge.evidence == .ownerField)
      #expect(edge.holderMode == .write)
    }
  }

  @Test("A waiter whom the word names, but who did not have the mutex when its wait began, has just got it")
  func acquiredMeanwhile() throws {
    var scene = Scene()
    scene.thread(1, waits: .mutex(0xa0, owner: 3))
    scene.thread(2, waits: .mutex(0xa0, owner: 3))
    scene.agree()
    scene.words[Address(0xa0)]?.isTaken = true
    scene.words[Address(0xa0)]?.owner = ThreadID(1)
    #expect(scene.graph.edge(of: 1) == nil)
    #expect(scene.graph.edge(of: 2)?.holders == tids(1))
    #expect(scene.graph.candidates().isEmpty)
  }

  @Test("A condition waiter waits for nobody while it sleeps on the condition")
  func conditionAsleep() {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)])
    scene.thread(2, waits: .condition(0xc000, mutex: 0xa0))
    scene.agree()
    #expect(scene.graph.edge(of: 2) == nil)
  }

  @Test("A condition waiter that sleeps on its mutex was woken and waits for the mutex' owner")
  func conditionReacquires() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)])
    scene.thread(2, waits: .condition(0xc000, mutex: 0xa0))
    scene.agree()
    scene.kernel[ThreadID(2)] = .futexWait(word: Address(0xa0))
    let edge = try #require(scene.graph.edge(of: 2))
    #expect(edge.type == .mutex)
    #expect(edge.object == Address(0xa0))
    #expect(edge.mode == .exclusive)
    #expect(edge.holders == tids(1))
    scene.kernel[ThreadID(2)] = .futexWait(word: Address(0xa0 + 40))
    #expect(scene.graph.edge(of: 2) == nil)
  }

  @Test("A join waits for its target by thread id, or by pthread_t where the id is not known")
  func join() throws {
    var scene = Scene()
    scene.thread(1, waits: .join(2))
    scene.thread(2)
    #expect(scene.graph.edge(of: 1)?.holders == tids(2))
    #expect(scene.graph.edge(of: 1)?.blocking == .joined)
    scene[1].wait?.companion = Address(0)
    #expect(scene.graph.edge(of: 1)?.holders == tids(2))
    scene.alive = [ThreadID(1)]
    #expect(scene.graph.edge(of: 1)?.holders == [])
  }

  @Test("A semaphore's waiter waits for those who have its permits, the latest first, and only weakly")
  func semaphore() throws {
    var scene = Scene()
    scene.thread(1)
    scene.thread(2)
    scene.thread(3, waits: .on(.semaphore, .exclusive, 0xa0))
    scene[1].permits = [Permit(object: Address(0xa0), site: CallSite(address: Address(1)), takenTicks: 5, count: 1)]
    scene[2].permits = [Permit(object: Address(0xa0), site: CallSite(address: Address(1)), takenTicks: 9, count: 1)]
    let edge = try #require(scene.graph.edge(of: 3))
    #expect(edge.holders == tids(2, 1))
    #expect(edge.isWeak)
    scene[2].posts = [Post(object: Address(0xa0), postedTicks: 3)]
    #expect(scene.graph.edge(of: 3)?.holders == [])
  }

  @Test("A thread that has taken a permit and waits for the next one blocks neither itself nor others")
  func collectingPermits() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xb000)], waits: .on(.semaphore, .exclusive, 0xa000))
    scene.thread(2, waits: .on(.semaphore, .exclusive, 0xa000))
    scene.thread(3, waits: .mutex(0xb000))
    scene[1].permits = [Permit(object: Address(0xa000), site: CallSite(address: Address(1)), takenTicks: 5, count: 1)]
    #expect(scene.graph.edge(of: 1)?.holders == [])
    #expect(scene.graph.edge(of: 2)?.holders == [])
    #expect(scene.graph.candidates().isEmpty)
  }

  @Test("Of two slots with one thread id, the exited one that lists the lock is its owner")
  func reusedThreadID() throws {
    var scene = Scene()
    scene.thread(5, holds: [.mutex(0xa0)])
    scene.threads[0].phase = .exitedHolding(at: Scene.now)
    scene.thread(5, waits: .mutex(0xb0))
    scene.thread(6, holds: [.mutex(0xb0)], waits: .mutex(0xa0))
    scene.agree()
    #expect(scene.graph.edge(of: 6)?.hold?.object == Address(0xa0))
    #expect(scene.graph.candidates().isEmpty, "The living thread 5 does not own the lock of the dead one")
  }

  @Test("Threads that exited wait for nothing, whatever their slot says")
  func exitedWaits() {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)], waits: .mutex(0xb0))
    scene.thread(2, holds: [.mutex(0xb0)], waits: .mutex(0xa0))
    scene[1].phase = .exitedHolding(at: Scene.now)
    #expect(scene.graph.edge(of: 1) == nil)
    #expect(scene.graph.candidates().isEmpty)
  }

  @Test("The locks to decode are those waited for, and conditions' mutexes, each once")
  func locksToDecode() {
    var scene = Scene()
    scene.thread(1, waits: .mutex(0xa0))
    scene.thread(2, waits: .mutex(0xa0))
    scene.thread(3, waits: .condition(0xc0, mutex: 0xd0))
    scene.thread(4, waits: .join(1))
    scene.thread(5, waits: .on(.futex, .signal, 0xe0))
    #expect(
      WaitForGraph.locksToDecode(scene.threads) == [
        .init(object: Address(0xa0), type: .mutex), .init(object: Address(0xd0), type: .mutex),
      ])
  }
}
