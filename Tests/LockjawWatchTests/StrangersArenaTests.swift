import CLockjawABI
import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

@Suite("Arenas in the directories of other users")
struct StrangersArenaTests {
  /// An arena without regions that says it is of this process.
  private func arena(_ identity: ProcessIdentity, in place: TemporaryDirectory) throws -> String {
    var header = lj_arena_header()
    header.magic = 0x31_4E45_5241_4A4C
    header.version = UInt32(LJ_ABI_VERSION)
    header.header_bytes = UInt32(MemoryLayout<lj_arena_header>.size)
    header.slot_bytes = UInt32(MemoryLayout<lj_slot>.size)
    header.held_bytes = UInt32(MemoryLayout<lj_held>.size)
    header.event_bytes = UInt32(MemoryLayout<lj_event>.size)
    header.module_bytes = UInt32(MemoryLayout<lj_module>.size)
    header.pid = UInt32(bitPattern: identity.pid)
    header.start_ticks = identity.startTicks
    let path = "\(place.path)/lockjaw-\(identity.pid)-\(identity.startTicks)-0.arena"
    let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(fd) }
    try #require(ftruncate(fd, off_t(2 * LJ_PAGE)) == 0)
    let size = MemoryLayout<lj_arena_header>.size
    try #require(withUnsafeBytes(of: header) { pwrite(fd, $0.baseAddress, size, 0) } == size)
    return path
  }

  @Test("An arena tells of the process that its name and its header agree on")
  func agreement() throws {
    let place = try TemporaryDirectory()
    let process = try LiveProcess(pid: getpid())
    let own = process.identity
    let reader = try ArenaReader(path: try arena(own, in: place))
    #expect(RunSession.mayTell(reader, of: own, writtenBy: process))
    #expect(!RunSession.mayTell(reader, of: ProcessIdentity(pid: 1, startTicks: own.startTicks), writtenBy: process))
  }

  @Test(
    "What another user wrote is about that user's processes only: root would end the process it names",
    .enabled(if: geteuid() == 0, "only root can give a file away"))
  func anothers() throws {
    let place = try TemporaryDirectory()
    let process = try LiveProcess(pid: getpid())
    let own = process.identity
    let path = try arena(own, in: place)
    try #require(chown(path, 65534, 65534) == 0)
    #expect(!RunSession.mayTell(try ArenaReader(path: path), of: own, writtenBy: process))
    #expect(try ArenaReader(path: path).fileUserID == 65534)
  }
}
