import CLockjawNative
import LockjawInspect
import LockjawModel

/// Unwinds stacks of a process that need not run, nor exist.
///
/// One for a process: decoded rules are cached inside. Use it from one thread at a time.
package final class StackUnwinder {
  private let tables: UnwindTables
  private let moduleMemory: FileBackedMemory
  /// `nil` where libunwind could not be set up for want of memory: then every stack has one frame.
  private let native: OpaquePointer?

  /// Opens the files of `modules` as far as `files` lets it have them.
  package init(modules: [Module], files: ModuleFiles) {
    tables = UnwindTables(modules: modules, files: files)
    moduleMemory = FileBackedMemory(modules: modules, files: files)
    native = lj_unwinder_create()
  }

  deinit {
    if let native { lj_unwinder_destroy(native) }
  }

  /// - Parameters:
  ///   - registers: where to begin; those of a stopped thread, or a `WaitContext`.
  ///   - memory: the stack, and, where module files are missing, the modules' own memory.
  ///   - limit: most frames to return, at least 1.
  ///   - beginsAtReturnAddress: `registers` are a caller's, with the address a call will return to: the line to show
  ///     is the call's, not the next one.
  /// - Complexity: bounded by `limit` and by a fixed budget of memory accesses a frame, whatever the input.
  package func unwind(
    _ registers: Registers, memory: any MemoryReader, limit: Int = 256, beginsAtReturnAddress: Bool = false
  ) -> Unwinding {
    let limit = min(max(limit, 1), 1 << 16)
    guard let native else {
      let frame = Unwinding.Frame(
        pc: registers.instruction, sp: registers.stackPointer, isReturnAddress: beginsAtReturnAddress)
      return Unwinding(frames: [frame], end: .noUnwindInformation(at: registers.instruction))
    }
    // Files first: they cost no system call, and hold what unwinding reads of a module.
    let source = Source(tables: tables, memory: LayeredMemory([moduleMemory, memory]))
    var raw = lj_registers(registers)
    var callbacks = lj_unwind_source(
      context: Unmanaged.passUnretained(source).toOpaque(),
      read: { context, address, into, bytes in
        guard let context else { return 0 }
        let source = Unmanaged<Source>.fromOpaque(context).takeUnretainedValue()
        return source.memory.read(Address(address), into: UnsafeMutableRawBufferPointer(start: into, count: bytes))
      },
      find_table: { context, ip, out in
        guard let context else { return false }
        let source = Unmanaged<Source>.fromOpaque(context).takeUnretainedValue()
        guard let table = source.tables.table(covering: Address(ip), memory: source.memory) else { return false }
        out.pointee = table
        return true
      })
    var end: Int32 = 0
    var endAddress: UInt64 = 0
    let frames = withExtendedLifetime(source) {
      [lj_unwind_frame](unsafeUninitializedCapacity: limit) { buffer, count in
        guard let base = buffer.baseAddress else { return }
        count = lj_unwinder_run(native, &callbacks, &raw, base, limit, &end, &endAddress)
      }
    }
    var result = Unwinding(
      frames: frames.map {
        Unwinding.Frame(
          pc: Address($0.pc), sp: Address($0.sp), isReturnAddress: $0.is_return_address,
          preserved: Unwinding.PreservedRegisters($0.preserved))
      },
      end: Self.end(end, at: Address(endAddress)))
    if beginsAtReturnAddress, !result.frames.isEmpty { result.frames[0].isReturnAddress = true }
    return result
  }

  /// What the callbacks need while one stack is unwound.
  private final class Source {
    let tables: UnwindTables
    let memory: LayeredMemory

    init(tables: UnwindTables, memory: LayeredMemory) {
      self.tables = tables
      self.memory = memory
    }
  }

  private static func end(_ code: Int32, at address: Address) -> Unwinding.End {
    switch Int(code) {
    case LJ_UNWIND_OUTERMOST: .reachedOutermost
    case LJ_UNWIND_LIMIT: .limit
    case LJ_UNWIND_NO_TABLE: .noUnwindInformation(at: address)
    case LJ_UNWIND_UNREADABLE: .unreadableMemory(at: address)
    default: .inconsistent(at: address)
    }
  }
}

extension Unwinding.PreservedRegisters {
  /// In the order of `lj_unwind_frame.preserved`.
  fileprivate init(_ raw: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)) {
    self.init(rbx: raw.0, rbp: raw.1, r12: raw.2, r13: raw.3, r14: raw.4, r15: raw.5)
  }
}

extension lj_registers {
  init(_ registers: Registers) {
    self.init()
    (rax, rdx, rcx, rbx) = (registers.rax, registers.rdx, registers.rcx, registers.rbx)
    (rsi, rdi, rbp, rsp) = (registers.rsi, registers.rdi, registers.rbp, registers.rsp)
    (r8, r9, r10, r11) = (registers.r8, registers.r9, registers.r10, registers.r11)
    (r12, r13, r14, r15) = (registers.r12, registers.r13, registers.r14, registers.r15)
    rip = registers.rip
  }
}
