import LockjawModel

/// Return addresses of one stack, innermost first.
package struct Unwinding: Hashable, Sendable {
  package struct Frame: Hashable, Sendable {
    package var pc: Address
    package var sp: Address
    /// `pc` is where a call will return to: the call itself lies before it. False for the innermost frame, for a
    /// signal trampoline, and for code that a signal interrupted.
    package var isReturnAddress: Bool
    /// An inner frame's function has no unwind tables: the way out of it was found otherwise (`HolderSearch.goingOn`), and this frame
    /// rests on that.
    package var isBeyondTables = false
    /// What this frame will find in them when its callee returns; zeros where nobody asked.
    package var preserved: PreservedRegisters
    package init(
      pc: Address, sp: Address, isReturnAddress: Bool, preserved: PreservedRegisters = PreservedRegisters()
    ) {
      self.pc = pc
      self.sp = sp
      self.isReturnAddress = isReturnAddress
      self.preserved = preserved
    }
  }

  /// The registers that a call preserves (System V ABI, x86-64), as unwinding recovers them.
  package struct PreservedRegisters: Hashable, Sendable {
    package var rbx, rbp, r12, r13, r14, r15: UInt64
    package init(
      rbx: UInt64 = 0, rbp: UInt64 = 0, r12: UInt64 = 0, r13: UInt64 = 0, r14: UInt64 = 0, r15: UInt64 = 0
    ) {
      (self.rbx, self.rbp) = (rbx, rbp)
      (self.r12, self.r13, self.r14, self.r15) = (r12, r13, r14, r15)
    }
  }

  /// Why there are no more frames.
  package enum End: Hashable, Sendable {
    case reachedOutermost
    /// As many frames as were asked for.
    case limit
    /// No module's unwind table covers this address: generated code, a library without tables, or a wild pointer.
    case noUnwindInformation(at: Address)
    case unreadableMemory(at: Address)
    /// The tables or the stack contradict themselves at this frame.
    case inconsistent(at: Address)

    /// A sentence for the report's diagnostics, `nil` where nothing is missing.
    package var explanation: String? {
      switch self {
      case .reachedOutermost: nil
      case .limit: "The stack goes on: only its innermost frames were asked for."
      case .noUnwindInformation(let at):
        "The stack ends at \(at): no module's unwind table covers that address (generated code, or code without tables)."
      case .unreadableMemory(let at): "The stack ends where memory at \(at) could not be read."
      case .inconsistent(let at): "The stack ends at \(at): unwinding from there contradicts itself."
      }
    }
  }

  package var frames: [Frame]
  package var end: End
  package init(frames: [Frame], end: End) {
    self.frames = frames
    self.end = end
  }
}
