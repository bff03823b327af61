import LockjawModel
import Synchronization

/// Another memory, and which of its pages were read through this one: what somebody who wants the same answers later has
/// to keep.
package final class RecordingMemory: MemoryReader {
  private let base: any MemoryReader
  private let pages = Mutex<Set<UInt64>>([])
  private static let pageBytes: UInt64 = 4096

  package init(_ base: any MemoryReader) { self.base = base }

  /// One address in each page.
  package var touched: [Address] { pages.withLock { $0.sorted().map { Address($0 * Self.pageBytes) } } }

  package func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let got = base.read(address, into: buffer)
    guard got > 0 else { return got }
    let (last, overflow) = address.rawValue.addingReportingOverflow(UInt64(got - 1))
    if !overflow {
      pages.withLock { pages in
        for page in address.rawValue / Self.pageBytes...last / Self.pageBytes { pages.insert(page) }
      }
    }
    return got
  }
}
