import CLockjawNative
import LockjawModel

/// Memory of a running process, one system call a read. It does not stop the process: bytes that change while they
/// are read may be torn.
package struct ProcessMemory: MemoryReader, Hashable {
  /// The task whose address space is read; any live thread of the process serves.
  package let task: Int32

  /// Reads through thread `task`.
  package init(task: Int32) { self.task = task }

  /// Reads through the main thread, or, where that has ended before the others, through one that lives:
  /// the kernel takes the address space away from a zombie.
  package init(_ process: LiveProcess) {
    task = process.firstLiveTask ?? process.pid
  }

  package func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let base = buffer.baseAddress else { return 0 }
    return Int(lj_copy_memory(task, address.rawValue, base, buffer.count))
  }
}
