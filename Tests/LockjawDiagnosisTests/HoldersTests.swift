import Glibc
import LockjawInspect
import LockjawModel
import Testing

@testable import LockjawDiagnosis

/// Who could end a wait in the kernel, where the machine has more descriptors than are looked at.
@Suite struct HoldersTests {
  /// Nobody's: what it waits for, others have.
  private let waiter: Int32 = .max

  @Test("Nobody is said to have the other end of a pipe unless every descriptor could be looked at")
  func otherEnd() {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    // Programs that other tests start have no part in it.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { for end in ends { close(end) } }
    var status = stat()
    #expect(fstat(ends[0], &status) == 0)
    let wait = KernelWait.pipe(target: "pipe:[\(status.st_ino)]", awaitsWriter: true)
    #expect(Holders(table: ProcessTable(), locks: []).of(wait, waiter: waiter).contains(getpid()))
    #expect(Holders(table: ProcessTable(descriptorLimit: 1), locks: []).of(wait, waiter: waiter) == [])
  }

  @Test("A lock that processes share has no holders then either; one that belongs to a process has that process")
  func fileLocks() throws {
    let incomplete = ProcessTable(descriptorLimit: 1)
    for (family, expected) in [("FLOCK", []), ("POSIX", [8])] as [(String, [Int32])] {
      let lock = try #require(FileLock("1: \(family) ADVISORY WRITE 8 fe:00:7 0 EOF"))
      let request = try #require(FileLock("1: -> \(family) ADVISORY WRITE 9 fe:00:7 0 EOF"))
      let holders = Holders(table: incomplete, locks: [lock])
      #expect(holders.of(.fileLock(request, target: "/nowhere"), waiter: waiter) == expected)
    }
  }

  @Test("A FIFO is open to whoever knows its name; a pipe without one is not")
  func named() {
    #expect(KernelWait.pipe(target: "/run/fifo", awaitsWriter: true).isOpenToStrangers)
    #expect(!KernelWait.pipe(target: "pipe:[7]", awaitsWriter: true).isOpenToStrangers)
    #expect(!KernelWait.socket(inode: 7).isOpenToStrangers)
  }
}
