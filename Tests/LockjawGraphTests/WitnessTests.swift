import LockjawModel
import Testing

@testable import LockjawGraph

/// W1 to W6 of `Witnesses.swift`: each test takes a proven deadlock and lets exactly one witness be silent or dissent.
@Suite struct WitnessTests {
  /// Two threads, two mutexes, all witnesses agreed.
  private static func abba() -> Scene {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)], waits: .mutex(0xb000, owner: 2))
    scene.thread(2, holds: [.mutex(0xb000)], waits: .mutex(0xa000, owner: 1))
    scene.agree()
    return scene
  }

  private static func judge(
    _ scene: Scene, second: Scene? = nil, words: [Address: LockWord]? = nil, kernel: [ThreadID: KernelState]? = nil
  ) throws -> Judgement {
    let candidate = try #require(scene.graph.candidates().first)
    return Witnesses(
      first: scene.threads, second: (second ?? scene).threads, words: words ?? scene.words,
      kernel: kernel ?? scene.kernel
    ).judge(candidate)
  }

  @Test("Arena, words and kernel agreed: proven, and each says so")
  func proven() throws {
    let judgement = try Self.judge(Self.abba())
    #expect(judgement.certainty == .proven)
    #expect(!judgement.isRefuted)
    #expect(judgement.evidence.count == 3)
  }

  @Test("Where threads release what others have locked, a cycle is inferred and never proven")
  func foreignReleases() throws {
    let scene = Self.abba()
    let candidate = try #require(scene.graph.candidates().first)
    let judgement = Witnesses(
      first: scene.threads, second: scene.threads, words: scene.words, kernel: scene.kernel, foreignReleases: 2
    ).judge(candidate)
    #expect(judgement.certainty == .inferred)
    #expect(judgement.evidence.count == 1)
    #expect(judgement.evidence.first?.contains("release locks that others have taken (2 times so far)") == true)
  }

  // MARK: arena

  @Test("A wait that ended between the passes refutes the deadlock")
  func movedOn() throws {
    var second = Self.abba()
    second[2].wait?.sequence = 9
    let judgement = try Self.judge(Self.abba(), second: second)
    #expect(judgement.isRefuted)
    #expect(judgement.certainty == .suspect)
    #expect(judgement.evidence == ["arena: the wait of thread 2 ended between the two passes."])
  }

  @Test("A thread that no longer waits, or is no longer there, in the second pass refutes the deadlock")
  func waitsNoLonger() throws {
    var second = Self.abba()
    second[1].wait = nil
    #expect(try Self.judge(Self.abba(), second: second).isRefuted)
    second = Self.abba()
    second.threads.removeFirst()
    #expect(try Self.judge(Self.abba(), second: second).isRefuted)
  }

  @Test("An even wait number is no wait: nothing to judge")
  func evenSequence() throws {
    var scene = Self.abba()
    let candidate = try #require(scene.graph.candidates().first)
    scene[1].wait?.sequence = 8
    #expect(scene.witnesses.judge(candidate).isRefuted)
    #expect(scene.graph.candidates().isEmpty)
  }

  @Test("Without a second pass the deadlock is inferred")
  func onePass() throws {
    let scene = Self.abba()
    let candidate = try #require(scene.graph.candidates().first)
    let judgement = Witnesses(first: scene.threads, second: [], words: scene.words, kernel: scene.kernel)
      .judge(candidate)
    #expect(judgement.certainty == .inferred)
    #expect(judgement.evidence.first?.contains("only one pass") == true)
  }

  @Test("A slot that a signal handler locks in is not frozen: inferred")
  func interrupted() throws {
    var scene = Self.abba()
    scene[1].isInterrupted = true
    let judgement = try Self.judge(scene)
    #expect(judgement.certainty == .inferred)
    #expect(judgement.evidence.first?.contains("signal handler of thread 1") == true)
  }

  @Test("A slot that lost held entries is not the whole truth: inferred")
  func incomplete() throws {
    var scene = Self.abba()
    scene[2].heldIsIncomplete = true
    let judgement = try Self.judge(scene)
    #expect(judgement.certainty == .inferred)
    #expect(judgement.evidence.first?.contains("thread 2 holds is incomplete") == true)
  }

  @Test("A holder that only the lock's word names leaves the arena silent: inferred")
  func unlistedHold() throws {
    var scene = Self.abba()
    scene[2].held = []
    let judgement = try Self.judge(scene)
    #expect(judgement.certainty == .inferred)
    #expect(judgement.evidence.first?.contains("thread 2 does not list mutex 0xb000") == true)
  }

  // MARK: lock words

  @Test("A mutex whose word names somebody else makes the deadlock suspect")
  func otherOwner() throws {
    let scene = Self.abba()
    var words = scene.words
    words[Address(0xa000)]?.owner = ThreadID(77)
    let judgement = try Self.judge(scene, words: words)
    #expect(judgement.certainty == .suspect)
    #expect(!judgement.isRefuted)
    #expect(judgement.evidence == ["lock word: mutex 0xa000 names thread 77 as its owner, not thread 1."])
  }

  @Test("A mutex whose word names nobody, or says free, makes the deadlock suspect")
  func noOwner() throws {
    let scene = Self.abba()
    var words = scene.words
    words[Address(0xa000)]?.owner = nil
    #expect(try Self.judge(scene, words: words).certainty == .suspect)
    words[Address(0xa000)]?.isTaken = false
    let judgement = try Self.judge(scene, words: words)
    #expect(judgement.certainty == .suspect)
    #expect(judgement.evidence.first?.contains("is free") == true)
  }

  @Test("A word that could not be read leaves the deadlock inferred")
  func missingWord() throws {
    let judgement = try Self.judge(Self.abba(), words: [:])
    #expect(judgement.certainty == .inferred)
    #expect(judgement.evidence.count == 2)
    #expect(judgement.evidence.first?.contains("could not be read") == true)
  }

  @Test("A spinlock's word names nobody and its waiter does not sleep: inferred")
  func spinlocks() throws {
    var scene = Scene()
    scene.thread(1, holds: [.spin(0xa000)], waits: .on(.spinlock, .exclusive, 0xb000))
    scene.thread(2, holds: [.spin(0xb000)], waits: .on(.spinlock, .exclusive, 0xa000))
    for object: UInt64 in [0xa000, 0xb000] {
      scene.words[Address(object)] = LockWord(
        address: Address(object), type: .spinlock, recordsOwner: false, isTaken: true, description: "", byteCount: 4)
    }
    scene.kernel = [ThreadID(1): .running, ThreadID(2): .running]
    #expect(try Self.judge(scene).certainty == .inferred)
    scene.kernel[ThreadID(2)] = .systemCall(number: 0, name: "read")
    #expect(try Self.judge(scene).certainty == .suspect)
  }

  private static func upgrade() -> Scene {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa000)], waits: .write(0xa000))
    scene.thread(2, holds: [.read(0xa000)], waits: .write(0xa000))
    scene.agree()
    return scene
  }

  @Test(
    "An rwlock that counts more or fewer readers than the arena lists makes the deadlock suspect", arguments: [1, 3])
  func readerCount(counted: Int) throws {
    let scene = Self.upgrade()
    #expect(try Self.judge(scene).certainty == .proven)
    var words = scene.words
    words[Address(0xa000)]?.readerCount = counted
    let judgement = try Self.judge(scene, words: words)
    #expect(judgement.certainty == .suspect)
    #expect(
      judgement.evidence == [
        "lock word: rwlock 0xa000 counts \(counted) readers inside, the arena lists 2."
      ])
  }

  @Test("A reader that is inside twice counts twice")
  func recursiveCount() throws {
    var scene = Self.upgrade()
    scene[1].held = [.read(0xa000, count: 2)]
    scene.agree()
    #expect(scene.words[Address(0xa000)]?.readerCount == 3)
    #expect(try Self.judge(scene).certainty == .proven)
  }

  @Test("Readers outside the cycle are counted too")
  func outsideReaders() throws {
    var scene = Self.upgrade()
    scene.thread(3, holds: [.read(0xa000)])
    scene.agree()
    #expect(try Self.judge(scene).certainty == .proven)
    var second = scene
    second[3].held = []
    #expect(try Self.judge(scene, second: second).certainty == .suspect)
  }

  @Test("An rwlock whose word names a writer that the arena does not makes the deadlock suspect")
  func rwlockWriter() throws {
    var scene = Scene()
    scene.thread(1, holds: [.write(0xa000)], waits: .write(0xb000))
    scene.thread(2, holds: [.write(0xb000)], waits: .read(0xa000))
    scene.agree()
    #expect(try Self.judge(scene).certainty == .proven)
    var words = scene.words
    words[Address(0xa000)]?.owner = nil
    let judgement = try Self.judge(scene, words: words)
    #expect(judgement.certainty == .suspect)
    #expect(judgement.evidence == ["lock word: rwlock 0xa000 names nobody as its writer, the arena thread 1."])
  }

  @Test("A reader behind a pending writer is proven only where the word prefers writers and has one waiting")
  func pendingWriter() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa000)], waits: .read(0xa000))
    scene.thread(2, waits: .write(0xa000))
    scene.agree(prefersWriters: true)
    #expect(try Self.judge(scene).certainty == .proven)
    var words = scene.words
    words[Address(0xa000)]?.policy = .prefersReaders
    #expect(try Self.judge(scene, words: words).certainty == .suspect)
    words = scene.words
    words[Address(0xa000)]?.hasPendingWriter = false
    #expect(try Self.judge(scene, words: words).certainty == .suspect)
    words[Address(0xa000)]?.hasPendingWriter = nil
    #expect(try Self.judge(scene, words: words).certainty == .inferred)
  }

  @Test("A lock whose word neither counts readers nor names its writer leaves the deadlock inferred")
  func silentRwlock() throws {
    let scene = Self.upgrade()
    var words = scene.words
    words[Address(0xa000)]?.readerCount = nil
    words[Address(0xa000)]?.recordsOwner = false
    #expect(try Self.judge(scene, words: words).certainty == .inferred)
  }

  // MARK: kernel

  @Test("A thread in another system call makes the deadlock suspect, and the call is named")
  func otherSystemCall() throws {
    let scene = Self.abba()
    var kernel = scene.kernel
    kernel[ThreadID(2)] = .systemCall(number: 0, name: "read")
    let judgement = try Self.judge(scene, kernel: kernel)
    #expect(judgement.certainty == .suspect)
    #expect(
      judgement.evidence == ["kernel: thread 2 is in the system call read, not asleep in a futex wait."])
  }

  @Test("A thread that runs, or is gone, makes the deadlock suspect", arguments: [KernelState.running, .gone])
  func awake(state: KernelState) throws {
    let scene = Self.abba()
    var kernel = scene.kernel
    kernel[ThreadID(1)] = state
    #expect(try Self.judge(scene, kernel: kernel).certainty == .suspect)
  }

  @Test("A thread asleep on another lock's word makes the deadlock suspect")
  func otherWord() throws {
    let scene = Self.abba()
    var kernel = scene.kernel
    kernel[ThreadID(1)] = .futexWait(word: Address(0xb000 + 40))
    let judgement = try Self.judge(scene, kernel: kernel)
    #expect(judgement.certainty == .suspect)
    #expect(judgement.evidence == ["kernel: thread 1 sleeps on 0xb028, which is not a word of mutex 0xb000."])
    kernel[ThreadID(1)] = .futexWait(word: Address(0xb000 + 39))
    #expect(try Self.judge(scene, kernel: kernel).certainty == .proven)
  }

  @Test(
    "A PI or robust mutex may park its waiters elsewhere: any futex wait agrees",
    arguments: ["PI", "robust, PI recursive"])
  func priorityInheritance(variant: String) throws {
    let scene = Self.abba()
    var (words, kernel) = (scene.words, scene.kernel)
    words[Address(0xb000)]?.variant = variant
    kernel[ThreadID(1)] = .futexWait(word: Address(0x7fff_0000))
    #expect(try Self.judge(scene, words: words, kernel: kernel).certainty == .proven)
  }

  @Test("A thread that was not asked, or of which the kernel would not speak, leaves the deadlock inferred")
  func silentKernel() throws {
    let scene = Self.abba()
    #expect(try Self.judge(scene, kernel: [:]).certainty == .inferred)
    var kernel = scene.kernel
    kernel[ThreadID(1)] = .unknown(reason: "reading it needs the right to trace the process.")
    let judgement = try Self.judge(scene, kernel: kernel)
    #expect(judgement.certainty == .inferred)
    #expect(judgement.evidence.first?.contains("right to trace") == true)
  }

  @Test("A dissent outweighs a silence, and both are told")
  func dissentAndSilence() throws {
    let scene = Self.abba()
    var kernel = scene.kernel
    kernel[ThreadID(1)] = .running
    let judgement = try Self.judge(scene, words: [:], kernel: kernel)
    #expect(judgement.certainty == .suspect)
    #expect(judgement.evidence.count == 3)
  }

  @Test("A join is proven by its target asleep in the cycle; where the target runs it is suspect")
  func joins() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)], waits: .join(2))
    scene.thread(2, waits: .mutex(0xa000))
    scene.agree()
    scene.kernel[ThreadID(1)] = .futexWait(word: Address(0x7fff_1234))
    #expect(try Self.judge(scene).certainty == .proven)
    scene.kernel[ThreadID(2)] = .running
    #expect(try Self.judge(scene).certainty == .suspect)
  }

  @Test("The evidence of a thousand threads is cut and counted")
  func longEvidence() throws {
    var scene = Scene()
    CycleTests.ring(1000, into: &scene)
    scene.agree()
    let judgement = try Self.judge(scene, kernel: [:])
    #expect(judgement.evidence.count == Hearing.evidenceLimit + 1)
    #expect(judgement.evidence.last == "976 more statements of these sorts are left out.")
  }
}
