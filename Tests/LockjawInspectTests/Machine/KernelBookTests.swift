import LockjawModel
import Testing

@testable import LockjawInspect

@Suite("The kernel's books")
struct KernelBookTests {
  @Test("Lines of the lock list are read: family, mode, owner, file, range, and whether it is only wished for")
  func fileLocks() throws {
    let held = try #require(FileLock("4: POSIX  ADVISORY  WRITE 8466 fe:00:16225872 5 14"))
    #expect(
      held
        == FileLock(
          family: .process, isExclusive: true, pid: 8466, file: "fe:00:16225872", range: 5...14, isWaiting: false))
    #expect(held.inode == 16_225_872)
    let wanted = try #require(FileLock("4: -> POSIX  ADVISORY  READ 8532 fe:00:16225872 12 EOF"))
    #expect(wanted.isWaiting && !wanted.isExclusive && wanted.range == 12...UInt64.max)
    let ofFile = try #require(FileLock("lock:\t1: OFDLCK ADVISORY  WRITE -1 fe:00:7 0 EOF"))
    #expect(ofFile.family == .openFile && ofFile.pid == nil)
  }

  @Test(
    "Leases and lines that are none are left out",
    arguments: [
      "", "4:", "4: LEASE  ACTIVE    READ 1 fe:00:7 0 EOF", "4: POSIX ADVISORY WRITE 1 fe:00:7 9 3",
      "4: POSIX ADVISORY WRITE 1 7 0 EOF", "POSIX ADVISORY WRITE 1 fe:00:7 0 EOF",
      "4: -> FLOCK ADVISORY WRITE 1 fe:00:7 x EOF",
      "4: FLOCK ADVISORY WRITE 1 fe:00:7 0 99999999999999999999",
    ])
  func noLock(line: String) { #expect(FileLock(line) == nil) }

  @Test("A lock is in the way of another of its kind that overlaps, unless both only read")
  func conflicts() throws {
    func lock(_ family: FileLock.Family, _ exclusive: Bool, _ range: ClosedRange<UInt64>, waiting: Bool = false)
      -> FileLock
    {
      FileLock(family: family, isExclusive: exclusive, pid: 1, file: "a:0:1", range: range, isWaiting: waiting)
    }
    let request = lock(.process, false, 10...20, waiting: true)
    #expect(lock(.process, true, 0...10).isInTheWay(of: request))
    #expect(lock(.openFile, true, 20...30).isInTheWay(of: request))
    #expect(!lock(.process, true, 0...9).isInTheWay(of: request))
    #expect(!lock(.process, false, 0...100).isInTheWay(of: request))
    #expect(!lock(.flock, true, 0...100).isInTheWay(of: request))
    #expect(!lock(.process, true, 0...100, waiting: true).isInTheWay(of: request))
    var other = lock(.process, true, 0...100)
    other.file = "a:0:2"
    #expect(!other.isInTheWay(of: request))
  }

  @Test("Addresses of sockets are written as people write them")
  func addresses() {
    #expect(SocketEnds.address("0100007F:0FA0") == "127.0.0.1:4000")
    #expect(SocketEnds.address("0000000000000000FFFF00000100007F:1538") == "127.0.0.1:5432")
    #expect(SocketEnds.address("00000000000000000000000001000000:0050") == "[0:0:0:0:0:0:0:1]:80")
    for text in ["", ":", "0100007F", "0100007:0FA0", "0100007F:FFFFF", "ZZ00007F:0FA0"] {
      #expect(SocketEnds.address(text) == nil)
    }
  }

  @Test("Pressure and throttling are read from either version of control groups")
  func pressure() {
    #expect(HostPressure.somePercent("some avg10=28.40 avg60=69.33 avg300=59.85 total=1\nfull avg10=0.00") == 28.4)
    #expect(HostPressure.somePercent("full avg10=1.00") == nil)
    #expect(ControlGroup.path("9:name=systemd:/a\n1:cpu,cpuacct:/box\n0::/unified") == "/box")
    #expect(ControlGroup.path("0::/user.slice/x") == "/user.slice/x")
    #expect(ControlGroup.path("0::/") == "")
    #expect(ControlGroup.path("7:blkio:/") == nil)
    #expect(ControlGroup.throttledNanoseconds("usage_usec 9\nthrottled_usec 12") == 12_000)
    #expect(ControlGroup.throttledNanoseconds("nr_periods 3\nthrottled_time 12") == 12)
    #expect(ControlGroup.throttledNanoseconds("usage_usec 9") == nil)
  }
}
