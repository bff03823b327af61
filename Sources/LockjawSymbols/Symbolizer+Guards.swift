import CLockjawNative
import LockjawInspect
import LockjawModel

extension Symbolizer {
  /// The variable of one frame whose guard refers to a lock; the innermost that the program itself declares.
  ///
  /// `nil` where nothing describes the frame's variables, where the guard has no name (a temporary), or its place is lost.
  /// - Parameters:
  ///   - frame: with preserved registers.
  ///   - callerStackPointer: of the frame it returns to; `nil` where that is not known.
  ///   - memory: of the moment the frame is from.
  package func guardVariable(
    of lock: Address, in frame: Unwinding.Frame, callerStackPointer: Address?, memory: any MemoryReader
  ) -> GuardVariable? {
    let pc = frame.isReturnAddress ? frame.pc.rawValue &- 1 : frame.pc.rawValue
    guard let index = modules.index(containing: Address(pc)) else { return nil }
    return symbols(of: index).guards(
      of: lock, at: pc, frame, callerStackPointer: callerStackPointer?.rawValue ?? 0, memory: memory
    ).first { $0.file.map { !LibrarySources.contains($0) } ?? false }
  }
}

/// Source files that are not the program's own: what a lock library declares inside its inlined functions names nothing
/// that the program's author wrote.
enum LibrarySources {
  private static let beginnings = ["/rustc/", "/usr/include/", "/usr/lib/", "/usr/share/cargo/registry/", "/usr/src/"]
  private static let parts = ["/.cargo/registry/", "/lib/rustlib/", "/include/c++/", "/include/absl/"]

  static func contains(_ path: String) -> Bool {
    beginnings.contains { path.hasPrefix($0) } || parts.contains { has(path, $0) }
  }

  private static func has(_ path: String, _ part: String) -> Bool {
    var rest = path.utf8[...]
    while rest.count >= part.utf8.count {
      if rest.starts(with: part.utf8) { return true }
      rest = rest.dropFirst()
    }
    return false
  }
}

extension ModuleSymbols {
  /// Guards in scope at an address of the process that refer to `lock`, innermost first.
  func guards(
    of lock: Address, at pc: UInt64, _ frame: Unwinding.Frame, callerStackPointer: UInt64, memory: any MemoryReader
  ) -> [GuardVariable] {
    guard wantsLines, let bias, let dwarf = openedDWARF() else { return [] }
    let source = GuardMemory(memory)
    return withExtendedLifetime(source) {
      var values = lj_frame_values()
      values.cfa = callerStackPointer
      values.context = Unmanaged.passUnretained(source).toOpaque()
      values.read = { context, address, into, bytes in
        guard let context else { return 0 }
        let source = Unmanaged<GuardMemory>.fromOpaque(context).takeUnretainedValue()
        return source.memory.read(Address(address), into: UnsafeMutableRawBufferPointer(start: into, count: bytes))
      }
      let kept = frame.preserved
      withUnsafeMutableBytes(of: &values.registers) { bytes in
        let registers = bytes.bindMemory(to: UInt64.self)
        for (number, value) in [
          (3, kept.rbx), (6, kept.rbp), (7, frame.sp.rawValue), (12, kept.r12), (13, kept.r13), (14, kept.r14),
          (15, kept.r15),
        ] {
          registers[number] = value
          values.known |= 1 << UInt32(number)
        }
      }
      let most = 16
      let found = [lj_dwarf_guard](unsafeUninitializedCapacity: most) { buffer, count in
        guard let base = buffer.baseAddress else { return }
        count = lj_dwarf_guards(dwarf, pc &- bias, &values, lock.rawValue, base, most)
      }
      return found.map { guardVariable in
        GuardVariable(
          name: String(cString: guardVariable.name), file: path(guardVariable.file, in: guardVariable.directory),
          line: guardVariable.line > 0 ? Int(guardVariable.line) : nil)
      }
    }
  }
}

/// Carries the reader through C.
private final class GuardMemory {
  let memory: any MemoryReader
  init(_ memory: any MemoryReader) { self.memory = memory }
}
