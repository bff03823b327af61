import LockjawModel

/// The x86-64 registers an unwinder needs.
///
/// A register that nobody recorded is zero: unwinding finds the caller's registers from `rip`, `rsp` and the
/// callee-saved ones, so a `WaitContext` is enough.
package struct Registers: Hashable, Sendable {
  package var rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp: UInt64
  package var r8, r9, r10, r11, r12, r13, r14, r15: UInt64
  package var rip: UInt64
  /// The thread pointer: where thread-local variables are. Zero where nobody recorded it.
  package var fsBase: UInt64

  package init() {
    (rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp) = (0, 0, 0, 0, 0, 0, 0, 0)
    (r8, r9, r10, r11, r12, r13, r14, r15) = (0, 0, 0, 0, 0, 0, 0, 0)
    rip = 0
    fsBase = 0
  }

  /// The registers the shim kept when the wait began; caller-saved ones are zero.
  package init(_ context: WaitContext) {
    self.init()
    (rip, rsp, rbp, rbx) = (context.ip, context.sp, context.bp, context.bx)
    (r12, r13, r14, r15) = (context.r12, context.r13, context.r14, context.r15)
  }

  package var instruction: Address { Address(rip) }
  package var stackPointer: Address { Address(rsp) }

  /// By libunwind's numbers, which are DWARF's: rax rdx rcx rbx rsi rdi rbp rsp r8…r15 rip.
  package var inUnwindOrder: [UInt64] {
    [rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip]
  }
}
