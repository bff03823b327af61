import Glibc
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawInspect

@Suite("Cores")
struct CoreTests {
  @Test("A minicore gives back the snapshot it was made of")
  func roundTrip() throws {
    let marked = try CoreProgram()
    let (snapshot, path) = try marked.minicore()
    let core = try CoreFile(path: path)
    let again = core.snapshot()
    #expect(core.diagnostics == [])
    #expect(core.signal == nil)
    #expect(again.process == snapshot.process)
    #expect(again.takenAt == snapshot.takenAt)
    #expect(again.descriptors == snapshot.descriptors && !again.descriptors.isEmpty)
    #expect(again.threads.map(\.tid) == snapshot.threads.map(\.tid))
    #expect(again.threads.map(\.name) == ["marked", "read\ter", "waiter", "waiter"])
    #expect(again.threads.map(\.registers) == snapshot.threads.map(\.registers))
    #expect(again.threads.map(\.kernelState) == snapshot.threads.map(\.kernelState))
    #expect(again.threads.map(\.threadPointer) == snapshot.threads.map(\.threadPointer))
    #expect(again.threads.map(\.sleptNanoseconds) == snapshot.threads.map(\.sleptNanoseconds))
    for stack in snapshot.threads.compactMap(\.stack) {
      #expect(core.memory.bytes(at: stack.base, count: stack.bytes.count) == stack.bytes)
    }
    // The word itself, and what lies around it.
    #expect(!snapshot.words.isEmpty)
    for word in snapshot.words { #expect(core.memory.bytes(at: word.base, count: word.bytes.count) == word.bytes) }
    for (mine, theirs) in zip(again.modules, snapshot.modules) {
      #expect(mine.path == theirs.path && mine.buildID == theirs.buildID && !mine.buildID.isEmpty)
      #expect(mine.start == theirs.start && mine.end == theirs.end)
      #expect(mine.textStart == theirs.textStart && mine.textOffset == theirs.textOffset)
    }
    #expect(again.modules.count == snapshot.modules.count)
  }

  @Test("A kernel's core has the threads, their registers, the modules and the memory of the process it ended")
  func kernelCore() throws {
    let marked = try CoreProgram()
    let before = try Snapshot.take(pid: marked.running.pid)
    #expect(marked.running.abort())
    guard let path = marked.program.core(of: marked.running) else {
      try Test.cancel("this machine does not write cores into the working directory (core_pattern)")
    }
    #expect(CoreFile.isCore(path: path))
    let core = try CoreFile(path: path)
    let after = core.snapshot()
    #expect(core.signal == SIGABRT)
    #expect(core.diagnostics == [])
    #expect(after.process.name == "marked" && after.process.executable == marked.program.path)
    #expect(after.identity.pid == before.identity.pid)
    #expect(Set(after.threads.map(\.tid)) == Set(before.threads.map(\.tid)))
    for thread in before.threads {
      let same = try #require(after.thread(thread.tid))
      #expect(same.registers?.rsp == thread.registers?.rsp && same.registers?.rip == thread.registers?.rip)
      #expect(same.kernelState == thread.kernelState)
      #expect(same.threadPointer == thread.threadPointer)
    }
    #expect(after.modules.map(\.path) == before.modules.map(\.path))
    #expect(after.modules.map(\.buildID) == before.modules.map(\.buildID))
    #expect(after.modules.map(\.textStart) == before.modules.map(\.textStart))
    #expect(core.memory.load(UInt64.self, at: marked.global) == CoreProgram.mark)
    // Its code is not in the core, but in the file.
    let program = try #require(after.modules.first { $0.path == marked.program.path })
    #expect(core.memory.bytes(at: program.textStart, count: 64) == nil)
    let files = ModuleFiles()
    let layered = LayeredMemory([core.memory, FileBackedMemory(modules: after.modules, files: files)])
    #expect(layered.bytes(at: program.textStart, count: 64) != nil)
  }

  @Test("A core by gcore has the same threads and modules, and was not ended by a signal")
  func debuggersCore() throws {
    let marked = try CoreProgram()
    let prefix = marked.program.directory.path + "/gcore"
    let made = try Command.run(["gcore", "-o", prefix, "\(marked.running.pid)"])
    guard made.status == 0 else { try Test.cancel("gcore does not run here: \(made.text.suffix(200))") }
    let before = try Snapshot.take(pid: marked.running.pid)
    let core = try CoreFile(path: "\(prefix).\(marked.running.pid)")
    let after = core.snapshot()
    #expect(core.signal == nil)
    #expect(Set(after.threads.map(\.tid)) == Set(before.threads.map(\.tid)))
    #expect(after.modules.map(\.path) == before.modules.map(\.path))
    #expect(after.modules.map(\.textStart) == before.modules.map(\.textStart))
    #expect(after.modules.map(\.buildID) == before.modules.map(\.buildID))
    for thread in before.threads { #expect(after.thread(thread.tid)?.kernelState == thread.kernelState) }
    #expect(core.memory.load(UInt64.self, at: marked.global) == CoreProgram.mark)
  }

  @Test("A program that was built anew since is named as replaced, and its file is not read")
  func replacedExecutable() throws {
    let marked = try CoreProgram()
    let (_, path) = try marked.minicore()
    marked.running.kill()
    let other = try Program(.c, name: "other", source: "int main(void) { return 7; }")
    try Command.succeed(["mv", "-f", other.path, marked.program.path])
    let files = ModuleFiles()
    let core = try CoreFile(path: path)
    let modules = core.snapshot().modules
    let program = try #require(modules.first { $0.path == marked.program.path })
    #expect(files.file(for: program) == nil)
    let absence = try #require(files.absence(of: program))
    #expect(absence.reason == .replaced && absence.sentence.contains("it was replaced"), "\(absence)")
    #expect(absence.sentence.contains(program.buildID))
    // The core has the header, and with it where the file's parts lie.
    #expect(LoadedImage(at: program.start, memory: core.memory)?.buildID == program.buildID)
  }

  @Test("A core with more segments than 16 bits count is read whole")
  func manySegments() throws {
    let marked = try CoreProgram()
    let (snapshot, path) = try marked.minicore()
    var bytes = try ProcFile.bytes(path)
    let count = Int(bytes[56]) | Int(bytes[57]) << 8
    #expect(count > 3 && count < 0xFFFF)
    // The number is in section 0's sh_info in any case; the header now refers to it (PN_XNUM).
    bytes[56] = 0xFF
    bytes[57] = 0xFF
    let core = try CoreFile(path: try store(bytes, "many", marked))
    #expect(core.segments.count == count)
    #expect(core.snapshot().threads.map(\.registers) == snapshot.threads.map(\.registers))
  }

  @Test("A core of seventy thousand more segments than its minicore has, all of them written, is read whole")
  func segmentsBeyondSixteenBits() throws {
    let marked = try CoreProgram()
    let (snapshot, path) = try marked.minicore()
    let bytes = try ProcFile.bytes(path)
    let few = Int(bytes[56]) | Int(bytes[57]) << 8
    let extra = 70_000
    let tableEnd = ELFHeader.byteCount + few * ELFHeader.programHeaderBytes
    // The table grows; what lay behind it moves by whole pages, so that offsets stay aligned.
    let shift = (extra * ELFHeader.programHeaderBytes + 4095) / 4096 * 4096
    func word(_ at: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) } }
    let content = UInt64(bytes.count + shift)
    var out = LittleEndianBytes()
    out.append(Array(bytes[..<40]))
    out.append(UInt64(tableEnd + extra * ELFHeader.programHeaderBytes))  // e_shoff
    out.append(Array(bytes[48..<56]))
    out.append(UInt16(0xFFFF))  // PN_XNUM
    out.append(Array(bytes[58..<ELFHeader.byteCount]))
    for at in stride(from: ELFHeader.byteCount, to: tableEnd, by: ELFHeader.programHeaderBytes) {
      out.append(Array(bytes[at..<at + 8]))
      out.append(word(at + 8) + UInt64(shift))
      out.append(Array(bytes[at + 16..<at + ELFHeader.programHeaderBytes]))
    }
    let base: UInt64 = 0x10_0000_0000  // nothing of a process is there
    for index in 0..<UInt64(extra) {
      out.append(ELFSegment.load)
      out.append(UInt32(6))
      for value in [content + index * 8, base + index * 8192, 0, 8, 4096, 1] { out.append(value) }
    }
    var section = Array(bytes[tableEnd..<tableEnd + ELFHeader.sectionHeaderBytes])
    let count = UInt32(few + extra)
    for index in 0..<4 { section[44 + index] = UInt8(truncatingIfNeeded: count >> (8 * UInt32(index))) }
    out.append(section)
    out.append([UInt8](repeating: 0, count: shift - extra * ELFHeader.programHeaderBytes))
    out.append(Array(bytes[(tableEnd + ELFHeader.sectionHeaderBytes)...]))
    for index in 0..<UInt64(extra) { out.append(index ^ 0x5EED_0000_0000) }

    let stored = try store(out.bytes, "beyond", marked)
    // binutils sees the same number.
    #expect(try Command.succeed(["readelf", "-hW", stored]).contains("65535 (\(count))"))
    let core = try CoreFile(path: stored)
    #expect(core.diagnostics == [])
    #expect(core.segments.count == Int(count))
    #expect(core.snapshot().threads.map(\.registers) == snapshot.threads.map(\.registers))
    for index: UInt64 in [0, 1, 65_534, 65_535, 65_536, UInt64(extra) - 1] {
      #expect(core.memory.load(UInt64.self, at: Address(base + index * 8192)) == index ^ 0x5EED_0000_0000)
    }
  }

  @Test("What is no core says so", arguments: ["/etc/passwd", "/bin/ls", "/", "/dev/null", "/no/such/file"])
  func noCore(path: String) {
    #expect(!CoreFile.isCore(path: path))
    do throws(InspectError) {
      _ = try CoreFile(path: path)
      Issue.record("\(path) was read as a core")
    } catch {
      #expect(["not-core", "system"].contains(error.code))
      #expect(error.description.hasSuffix(".") && error.description.contains(path))
    }
  }

  private func store(_ bytes: [UInt8], _ name: String, _ marked: CoreProgram) throws -> String {
    let path = marked.program.directory.path + "/" + name
    let file = try PartialFile(path)
    try file.append(bytes)
    _ = try file.finish()
    return path
  }
}
