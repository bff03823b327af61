import LockjawInspect
import Testing

@testable import LockjawWatch

@Suite struct HiddenCommandTests {
  @Test("A command that hides costs two wake-ups a second at most; one that has ended is looked for at once")
  func rests() {
    #expect(RunSession.restMilliseconds(after: .noSuchProcess(pid: 7)) >= 500)
    #expect((1...20).contains(RunSession.restMilliseconds(after: .zombie(pid: 7))))
  }
}
