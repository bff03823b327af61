import CLockjawABI
import CLockjawNative

/// The means to end another thread's `ArenaReader.sleep`: a mapping of its own, made while the arena's file is there,
/// good for as long as it lives, whatever becomes of the file.
package final class BellRope: @unchecked Sendable {
  // Sendable: the mapping never changes after init, and ringing is one atomic operation and one system call.
  private let mapping: ArenaMapping

  /// - Throws: `cannotOpen` and the other reasons why a file cannot be mapped.
  package init(path: String) throws(ArenaError) {
    mapping = try ArenaMapping(path: path, writable: true)
  }

  package func ring() {
    guard let word = mapping.collectorWord(MemoryLayout<lj_collector_page>.offset(of: \lj_collector_page.bell) ?? 0)
    else { return }
    lj_futex_ring(word)
  }
}
