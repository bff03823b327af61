import Glibc
import LockjawArena
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

@Suite("Files that are complete the moment they can be seen")
struct ReportFileTests {
  private func temporaryPath() -> String {
    "/tmp/lockjaw-file-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
  }

  @Test("A report replaces the older one whole and leaves nothing aside")
  func replaces() throws {
    let path = temporaryPath()
    defer { unlink(path) }
    try ReportFile.write(String(repeating: "a", count: 100_000), to: path)
    try ReportFile.write("second\n", to: path)
    #expect(SourceFiles.line(path, 1) == "second")
    #expect(SourceFiles.line(path, 7) == nil)
    #expect(access("\(path).\(getpid()).partial", F_OK) != 0)
  }

  @Test("A directory that is not there is an error, and nothing is created")
  func missingDirectory() {
    #expect(throws: WatchError.cannotWrite(path: "/no/such/place/report", errno: ENOENT)) {
      try ReportFile.write("x", to: "/no/such/place/report")
    }
  }

  @Test("A device is written in place")
  func device() throws {
    try ReportFile.write("x", to: "/dev/null")
    var status = stat()
    #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
  }

  /// Of what lies at a path, links not followed.
  private func status(_ path: String) throws -> stat {
    var status = stat()
    try #require(lstat(path, &status) == 0)
    return status
  }

  private func make(_ path: String, _ content: String) {
    let fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    _ = ReportFile.writeAll(content, to: fd)
    close(fd)
  }

  @Test("A report beside an arena replaces a link, a pipe and a device there, and never opens what they lead to")
  func besideHostileNames() throws {
    let place = try TemporaryDirectory()
    let arena = "\(place.path)/lockjaw-1-2-0.arena"
    make(arena, "arena")
    let precious = "\(place.path)/precious"
    make(precious, "precious")
    let file = FileIdentity(try status(arena))
    let report = "\(place.path)/lockjaw-1-2-0.report-1.txt"
    let obstacles: [() -> Int32] = [
      { symlink(precious, report) }, { symlink("/dev/null", report) }, { mkfifo(report, 0o600) },
      { symlink("/nowhere", report) },
    ]
    for obstacle in obstacles {
      #expect(obstacle() == 0)
      #expect(try ReportFile.write("report\n", beside: arena, file, ending: ".report-1.txt") == report)
      #expect(try status(report).st_mode & S_IFMT == S_IFREG)
      #expect(SourceFiles.line(report, 1) == "report")
      unlink(report)
    }
    #expect(SourceFiles.line(precious, 1) == "precious")
  }

  @Test("A directory that was swapped for another gets no report, and an arena that was swapped no copy")
  func swapped() throws {
    let place = try TemporaryDirectory()
    let theirs = "\(place.path)/theirs"
    let victim = "\(place.path)/victim"
    for directory in [theirs, victim] { mkdir(directory, 0o700) }
    let arena = "\(theirs)/x/lockjaw-1-2-0.arena"
    mkdir("\(theirs)/x", 0o700)
    make(arena, "arena")
    let file = FileIdentity(try status(arena))
    // The directory itself becomes a link; then a link above it.
    rename("\(theirs)/x", "\(theirs)/away")
    symlink(victim, "\(theirs)/x")
    #expect(throws: WatchError.self) { try ReportFile.write("r", beside: arena, file, ending: ".report-1.txt") }
    mkdir("\(victim)/x", 0o700)
    rename(theirs, "\(place.path)/aside")
    symlink(victim, theirs)
    #expect(throws: WatchError.arenaReplaced(path: arena)) {
      try ReportFile.write("r", beside: arena, file, ending: ".report-1.txt")
    }
    make(arena, "another")
    #expect(throws: WatchError.arenaReplaced(path: arena)) {
      try ReportFile.write("r", beside: arena, file, ending: ".report-1.txt")
    }
    let copy = "\(place.path)/copy"
    #expect(throws: WatchError.arenaReplaced(path: arena)) { try SparseCopy.copy(arena, file, to: copy) }
    unlink(arena)
    symlink("/dev/zero", arena)
    #expect(throws: WatchError.self) { try SparseCopy.copy(arena, file, to: copy) }
    unlink(arena)
    mkfifo(arena, 0o600)
    #expect(throws: WatchError.arenaReplaced(path: arena)) { try SparseCopy.copy(arena, nil, to: copy) }
    #expect(access(copy, F_OK) != 0)
    #expect(access("\(victim)/x/lockjaw-1-2-0.report-1.txt", F_OK) != 0)
  }

  @Test("No line is read from what is not a plain file")
  func notPlain() throws {
    let place = try TemporaryDirectory()
    mkfifo("\(place.path)/fifo", 0o600)
    for path in ["\(place.path)/fifo", "/dev/zero", place.path, "/nowhere"] {
      #expect(SourceFiles.line(path, 1) == nil)
    }
  }

  @Test("A sparse file is copied with its holes")
  func sparse() throws {
    let source = temporaryPath()
    let copy = temporaryPath()
    defer {
      unlink(source)
      unlink(copy)
    }
    let fd = open(source, O_RDWR | O_CREAT, 0o600)
    ftruncate(fd, 64 << 20)
    pwrite(fd, "end", 3, 50 << 20)
    close(fd)
    try SparseCopy.copy(source, nil, to: copy)
    var status = stat()
    #expect(stat(copy, &status) == 0)
    #expect(status.st_size == 64 << 20)
    #expect(status.st_blocks * 512 < 1 << 20)
    var bytes = [UInt8](repeating: 0, count: 3)
    let back = open(copy, O_RDONLY)
    pread(back, &bytes, 3, 50 << 20)
    close(back)
    #expect(String(decoding: bytes, as: UTF8.self) == "end")
  }

  @Test("Rests double while every look sees a change, and end with the first that sees none")
  func pace() {
    var pace = Pace()
    #expect(pace.restMilliseconds == 0)
    var rests: [Int] = []
    for _ in 0..<6 {
      pace.sawChange()
      rests.append(pace.restMilliseconds)
    }
    #expect(rests == [1, 2, 4, 8, 8, 8])
    pace.sawNone()
    #expect(pace.restMilliseconds == 0)
  }
}
