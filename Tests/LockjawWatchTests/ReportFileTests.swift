import Glibc
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
    try SparseCopy.copy(source, to: copy)
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
