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
    var request = lock(.process, false, 10...20, waiting: true)
    request.pid = 2
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

  @Test("What a process itself has by fcntl is never in its own way; its flock, of another open file, may be")
  func ownLocks() throws {
    func line(_ family: String, _ pid: Int32, wished: Bool = false) throws -> FileLock {
      try #require(FileLock("4: \(wished ? "-> " : "")\(family) ADVISORY WRITE \(pid) fe:00:7 0 EOF"))
    }
    #expect(try !line("POSIX", 9).isInTheWay(of: line("POSIX", 9, wished: true)))
    #expect(try line("POSIX", 8).isInTheWay(of: line("POSIX", 9, wished: true)))
    #expect(try line("FLOCK", 9).isInTheWay(of: line("FLOCK", 9, wished: true)))
    #expect(try line("OFDLCK", -1).isInTheWay(of: line("OFDLCK", -1, wished: true)))
  }

  /// Requests of process 9 and others, as the kernel lists them.
  private func request(_ family: FileLock.Family, inode: UInt64?, _ lines: String...) -> FileLock? {
    FileLock.request(of: 9, family, inode: inode, among: lines.compactMap { FileLock($0) })
  }

  @Test("A thread's request is taken from the list only where no other one could be it")
  func requests() throws {
    let first = "4: -> POSIX ADVISORY WRITE 9 fe:00:7 0 4"
    #expect(request(.process, inode: 7, first) == FileLock(first))
    #expect(request(.process, inode: 7, first, first) == FileLock(first))
    // Another range, another mode, or another file of that number: whose is whose?
    #expect(request(.process, inode: 7, first, "5: -> POSIX ADVISORY WRITE 9 fe:00:7 8 9") == nil)
    #expect(request(.process, inode: 7, first, "5: -> POSIX ADVISORY READ 9 fe:00:7 0 4") == nil)
    #expect(request(.process, inode: 7, first, "5: -> POSIX ADVISORY WRITE 9 fe:01:7 0 4") == nil)
    // Another process' request is not this one's, nor a granted lock.
    #expect(request(.process, inode: 7, first, "5: -> POSIX ADVISORY WRITE 8 fe:00:7 8 9") == FileLock(first))
    #expect(request(.process, inode: 7, "5: POSIX ADVISORY WRITE 9 fe:00:7 0 4") == nil)
    // The only request there is is for another file.
    #expect(request(.process, inode: 3, first) == nil)
    #expect(request(.flock, inode: 7, first) == nil)
  }

  @Test("A request for an open file's lock names no process, so all those on the file must be the same")
  func requestsOfOpenFiles() {
    let first = "4: -> OFDLCK ADVISORY WRITE -1 fe:00:7 0 4"
    #expect(request(.openFile, inode: 7, first, first) == FileLock(first))
    #expect(request(.openFile, inode: 7, first, "5: -> OFDLCK ADVISORY WRITE -1 fe:00:7 5 9") == nil)
    #expect(request(.openFile, inode: nil, first) == nil)
  }

  @Test("Where the file's number is not known, a process that waits for one file only waits for that")
  func requestsWithoutNumber() {
    let first = "4: -> FLOCK ADVISORY WRITE 9 fe:00:7 0 EOF"
    #expect(request(.flock, inode: nil, first, "5: -> FLOCK ADVISORY WRITE 8 fe:00:7 0 EOF") == FileLock(first))
    #expect(request(.flock, inode: nil, first, "5: -> FLOCK ADVISORY WRITE 9 fe:00:8 0 EOF") == nil)
  }

  @Test("A table of processes that leaves descriptors out says so")
  func incompleteTable() {
    #expect(!ProcessTable(descriptorLimit: 1).isComplete)
    #expect(ProcessTable().isComplete)
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
