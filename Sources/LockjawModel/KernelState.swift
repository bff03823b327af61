/// What the kernel says a thread does: the third witness.
package enum KernelState: Hashable, Sendable {
  /// Asleep in a futex wait on this word.
  case futexWait(word: Address)
  /// Asleep in another system call (x86-64 number and its name where known).
  case systemCall(number: Int, name: String?)
  case running
  /// The thread does not exist.
  case gone
  /// The kernel would not say; the reason is a sentence that names the missing right.
  case unknown(reason: String)
}

/// A mapped file of the target.
package struct Module: Hashable, Sendable {
  package var path: String
  package var start: Address
  package var end: Address
  /// First executable mapping and where in the file it starts.
  package var textStart: Address
  package var textEnd: Address
  package var textOffset: UInt64
  /// Lower-case hexadecimal; empty where the file has none.
  package var buildID: String
  /// Device and inode of the mapped file, to tell it from one that replaced it.
  package var inode: UInt64
  package init(
    path: String, start: Address, end: Address, textStart: Address, textEnd: Address, textOffset: UInt64,
    buildID: String, inode: UInt64
  ) {
    self.path = path
    self.start = start
    self.end = end
    self.textStart = textStart
    self.textEnd = textEnd
    self.textOffset = textOffset
    self.buildID = buildID
    self.inode = inode
  }
  package func contains(_ address: Address) -> Bool { start <= address && address < end }
}
