import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

@testable import LockjawEmulator

/// Stacks that lead through functions without unwind tables.
@Suite("Frames without tables")
struct FramesWithoutTablesTests {
  @Test("A function is run to its return, past its calls, to find what its caller had in its registers")
  func caller() throws {
    var code = FrameCode(stack: [0x1234, FrameCode.caller, 0])
    code.call(FrameCode.never)
    code.add([0x5B, 0xC3])  // pop rbx; ret
    var run = code.run
    let found = run.caller(of: FrameCode.frame(rbx: 1), flippedBranch: 0)
    let caller = try #require(found)
    #expect(caller.returnAddress == FrameCode.caller)
    #expect(caller.stackPointer == FrameCode.stackPointer + 16)
    #expect(caller.preserved == [0x1234, 0, 0, 0, 0, 0])
  }

  @Test("Out of a loop leads one of its branches; past a call that does not return, none")
  func loops() {
    var code = FrameCode(stack: [0, FrameCode.caller, 0])
    code.call(FrameCode.never)
    // test eax, eax; je to the call; add rsp, 8; ret
    code.add([0x85, 0xC0, 0x74, 0xF7, 0x48, 0x83, 0xC4, 0x08, 0xC3])
    var run = code.run
    let asItIs = run.caller(of: FrameCode.frame(), flippedBranch: 0)
    let flipped = run.caller(of: FrameCode.frame(), flippedBranch: 1)
    #expect(asItIs == nil)
    #expect(flipped?.returnAddress == FrameCode.caller)

    var endless = FrameCode(stack: [0, FrameCode.caller])
    endless.add([0x0F, 0x0B])  // ud2
    run = endless.run
    let none = run.caller(of: FrameCode.frame(), flippedBranch: 0)
    #expect(none == nil)
  }

  @Test("A frame whose end is not known ends with its own return, and its caller's releases are not its own")
  func ownEnd() {
    var code = FrameCode(stack: [FrameCode.returnAddress + 16, FrameCode.lock, FrameCode.lock, FrameCode.caller])
    code.add([0xC3] + [UInt8](repeating: 0xCC, count: 15))
    code.dropGuard()
    code.leave()
    var run = code.run
    let lock = LockSemantics(.rustMutex, at: Address(FrameCode.lock))
    let end = run.forward(FrameCode.frame(), result: 0, limit: .first, watching: [lock])
    #expect(end == .complete)
    let events = run.events
    #expect(events.isEmpty)
  }

  @Test("Calls are told by the bytes before their return, in each of their forms")
  func calls() {
    func instruction(_ bytes: [UInt8]) -> CallInstruction? {
      let padded = [UInt8](repeating: 0x90, count: 16 - bytes.count) + bytes
      return CallInstruction(before: 0x1010, memory: MemoryImage(base: Address(0x1000), bytes: padded))
    }
    #expect(instruction([0xE8, 0xF0, 0xFF, 0xFF, 0xFF])?.target == 0x1000)
    let indirect: [[UInt8]] = [
      [0xFF, 0xD0], [0x41, 0xFF, 0xD4], [0xFF, 0x10], [0xFF, 0x50, 0x08], [0x41, 0xFF, 0x51, 0x08],
      [0xFF, 0x54, 0x24, 0x08], [0xFF, 0x14, 0xC8], [0xFF, 0x90, 1, 2, 3, 4], [0xFF, 0x94, 0x24, 1, 2, 3, 4],
      [0xFF, 0x15, 1, 2, 3, 4], [0xFF, 0x14, 0x25, 1, 2, 3, 4],
    ]
    for bytes in indirect {
      let call = instruction(bytes)
      #expect(call != nil && call?.target == nil, "\(bytes)")
    }
    // jmp rax; push [rax + 8]; a call that is cut off; nothing but padding.
    for bytes: [UInt8] in [[0xFF, 0xE0], [0xFF, 0x70, 0x08], [0xFF, 0x15, 1, 2, 3], []] {
      #expect(instruction(bytes) == nil, "\(bytes)")
    }
    #expect(CallInstruction(before: 4, memory: MemoryImage(base: Address(0), bytes: [0xE8])) == nil)
  }

  /// No function of it has a table. One has a frame of a size that is not known beforehand, one loops.
  private static let source = """
    #include <alloca.h>
    #include <stdio.h>
    #include <string.h>
    #include <unistd.h>
    __attribute__((noipa)) void inner(int times) { while (times > 0 && pause() < 0) {} }
    __attribute__((noipa)) int middle(int size) {
      char *room = alloca(size);
      memset(room, 1, size);
      inner(room[size - 1]);
      return room[0];
    }
    __attribute__((noipa)) int outer(int size, int (*next)(int)) { return next(size) + next(size); }
    int main(int count, char **arguments) {
      puts("ready"); fflush(stdout);
      return outer(100 * count, middle) > 5;
    }
    """

  @Test("A program without unwind tables is unwound to its main, and on to who called that", arguments: ["-O0", "-O2"])
  func program(level: String) throws {
    let program = try Program(
      .c, name: "tableless", flags: [level, "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"],
      source: Self.source)
    let running = try RunningProgram(program)
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    let isAsleep = RunningProgram.wait {
      // pause(2)
      if case .systemCall(34, _) = process.kernelState(of: ThreadID(running.pid)) { true } else { false }
    }
    #expect(isAsleep)
    let snapshot = try Snapshot.take(pid: running.pid, deadline: .seconds(10))
    let memory = LayeredMemory([snapshot.memory, ProcessMemory(process)])
    let files = ModuleFiles(root: .process(process))
    let unwinder = StackUnwinder(modules: snapshot.modules, files: files)
    let registers = try #require(snapshot.threads.first?.registers)
    #expect(unwinder.unwind(registers, memory: memory).frames.count == 2)
    let search = HolderSearch(modules: snapshot.modules, files: files, memory: memory)
    let frames = search.frames(from: registers, fsBase: registers.fsBase, unwinder: unwinder, memory: memory)
    let symbolizer = Symbolizer(modules: snapshot.modules, files: files)
    let functions = frames.map { frame in
      symbolizer.frames(at: frame.pc, isReturnAddress: frame.isReturnAddress).last?.function ?? "?"
    }
    #expect(functions.dropFirst().prefix(4) == ["inner", "middle", "outer", "main"], "\(functions)")
    #expect(functions.last == "_start", "\(functions)")
  }
}
