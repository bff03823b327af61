import LockjawModel

/// Bytes of modules that never change after loading (code, unwind tables, constants), from their files: what is left
/// of them when the process is gone.
package struct FileBackedMemory: MemoryReader {
  /// Opens the files of all `modules` that can be had.
  package init(modules: [Module], files: ModuleFiles) { fatalError("skeleton") }
  package func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int { fatalError("skeleton") }
}
