import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis

/// Real programs, without a shim: what their sleeping threads wait for, against what the programs say.
@Suite struct RustWaitTests {
  @Test(
    "Every wait on a lock of Rust's standard library is told by its function's name",
    arguments: [WaitPrograms.Build.release, .debug])
  func standardLibrary(build: WaitPrograms.Build) throws {
    let scene = try WaitScene([WaitPrograms.rust(build)])
    try expectNoMistakes(scene, library: .rustStd)
    for label in scene.truths.keys { #expect(try scene.decoded(label).basis == .function, "\(label)") }
    try expectStandardWords(scene)
  }

  @Test("In a stripped program the futex call and its values tell the waits, and a condition stays unknown")
  func strippedStandardLibrary() throws {
    let scene = try WaitScene([WaitPrograms.rust(.stripped)])
    try expectNoMistakes(scene, library: .rustStd, unknown: ["condition"])
    for label in scene.truths.keys where label != "condition" {
      #expect(try scene.decoded(label).basis == .pattern, "\(label)")
    }
    #expect(try scene.decoded("condition").library == .unknown)
    try expectStandardWords(scene)
  }

  @Test(
    "So are those of another release of Rust",
    .enabled(if: OtherRust.compiler != nil, "there is no second rustc; Tools/install-packages test"),
    arguments: WaitPrograms.Build.allCases)
  func otherRelease(build: WaitPrograms.Build) throws {
    let compiler = try #require(OtherRust.compiler)
    let scene = try WaitScene([WaitPrograms.rust(build, compiler: compiler)])
    // A Once of 1.63 parks its waiters; stripped, that is any parked thread.
    #expect(
      try scene.mistakes(library: .rustStd, except: build == .stripped ? ["once"] : [], unknown: ["condition"]).filter {
        !$0.hasPrefix("once: Rust std once exclusive nil")
      } == [])
    try expectStandardWords(scene)
  }

  private func expectStandardWords(_ scene: WaitScene) throws {
    let mutex = try #require(try scene.word("mutex"))
    #expect(mutex.isTaken && mutex.mode == .exclusive && mutex.holderCount == 1)
    #expect(mutex.description == "locked, perhaps with waiters; its word records no owner")
    let read = try #require(try scene.word("write"))
    #expect(read.readerCount == 2 && read.holderCount == 2 && read.mode == .read)
    #expect(read.hasPendingWriter == true)
    #expect(read.description == "read-locked by 2 readers, writers wait; its word records no owner")
    let written = try #require(try scene.word("read"))
    #expect(written.mode == .write && written.holderCount == 1 && written.hasWaiters == true)
    if try scene.decoded("once").lock != nil, let once = try scene.word("once"), once.type == .once {
      #expect(once.isTaken && once.description == "being initialised, with waiters")
    }
  }

  @Test(
    "parking_lot's waiters are led to their locks through their parking records", arguments: WaitPrograms.Build.allCases
  )
  func parkingLot(build: WaitPrograms.Build) throws {
    let scene = try WaitScene([WaitPrograms.parkingLot(build)])
    try expectNoMistakes(scene, library: .parkingLot)
    for (label, truth) in scene.truths {
      let wait = try scene.decoded(label)
      #expect(wait.basis == (build == .stripped ? .record : .function), "\(label)")
      #expect(wait.hasTimeLimit == (label == "timed"), "\(label)")
      let word = try #require(try scene.word(label), "\(label)")
      #expect(word.impossibility == nil, "\(label): \(word.description)")
      if truth.type != .condition { #expect(word.isTaken && word.hasWaiters == true, "\(label)") }
    }
    let read = try #require(try scene.word("write"))
    #expect(read.readerCount == 2 && read.hasPendingWriter == true)
    #expect(read.description == "read-locked by 2 readers, a writer waits for them to leave, no owner recorded")
    let written = try #require(try scene.word("read"))
    #expect(written.mode == .write && written.holderCount == 1)
    #expect(written.description == "write-locked, waiters parked, no owner recorded")
    #expect(try scene.word("mutex")?.description == "locked, waiters parked, no owner recorded")
    #expect(try scene.word("upgradable")?.description.hasPrefix("read-locked by 1 reader, upgradable") == true)
    #expect(try scene.word("once")?.description == "being initialised, waiters parked")
  }
}
