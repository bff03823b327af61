import CLockjawNative
import LockjawModel

/// Room for many threads' stacks, filled in as few system calls as possible while the threads stand still.
final class StackCopies {
  private let threads: [Int32]
  private var ranges: [lj_range]
  private let storage: UnsafeMutableRawBufferPointer

  init(_ stacks: [(tid: Int32, range: (address: UInt64, count: Int))]) {
    threads = stacks.map(\.tid)
    // One piece, so that its pages are asked for once; untouched ones cost nothing.
    let total = stacks.reduce(0) { $0 + $1.range.count }
    storage = .allocate(byteCount: max(total, 1), alignment: 16)
    var offset = 0
    ranges = []
    ranges.reserveCapacity(stacks.count)
    guard let base = storage.baseAddress else { return }
    for (_, range) in stacks {
      ranges.append(
        lj_range(address: range.address, destination: base + offset, bytes: range.count, copied: 0))
      offset += range.count
    }
  }

  deinit { storage.deallocate() }

  /// - Parameter task: a thread of the process whose address space is read.
  func copy(from task: Int32) {
    _ = ranges.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { lj_copy_ranges(task, $0, buffer.count) }
    }
  }

  /// What was copied, by thread.
  func images() -> [Int32: MemoryImage] {
    var result = [Int32: MemoryImage](minimumCapacity: threads.count)
    for (tid, range) in zip(threads, ranges) where range.copied > 0 {
      let bytes = [UInt8](UnsafeRawBufferPointer(start: range.destination, count: range.copied))
      result[tid] = MemoryImage(base: Address(range.address), bytes: bytes)
    }
    return result
  }
}
