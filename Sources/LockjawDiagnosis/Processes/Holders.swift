import LockjawInspect
import LockjawModel

/// Which processes could end a wait in the kernel.
///
/// 1. A file lock that is in the way: fcntl's belongs to the process it names; flock's and an open file's to every
///    process with a descriptor of that open file (`fdinfo` shows the lock there).
/// 2. Data in a pipe comes from whoever can write to it, room from whoever can read. A socket's other end likewise.
/// 3. A child ends by itself.
/// 4. Where not every descriptor of the machine could be looked at, nobody is said to have what descriptors lead to: one that
///    was left out may be the one that goes on.
/// 5. Where only the waiter's own process has the other end, nobody is said to be waited for: a pipe to oneself is how
///    programs wake themselves from a signal handler.
struct Holders {
  let table: ProcessTable
  let locks: [FileLock]

  /// Pids in ascending order; empty where nobody is known, or only the waiter itself.
  func of(_ wait: KernelWait, waiter: Int32) -> [Int32] {
    switch wait {
    case .fileLock(let request, let target): return fileLock(request, target, waiter)
    case .pipe(let target, let awaitsWriter):
      guard table.isComplete else { return [] }
      return notAlone(
        table.openings(of: target).filter { opening in
          table.access(opening).map { awaitsWriter ? $0.writes : $0.reads } ?? false
        }.map(\.pid), waiter)
    case .socket(let inode):
      guard table.isComplete, let peer = SocketEnds.unixPeer(of: inode) else { return [] }
      return notAlone(table.openings(of: "socket:[\(peer)]").map(\.pid), waiter)
    case .child(let pid): return table.parent(of: pid) == nil ? [] : [pid]
    case .anyChild(let parent): return table.children(of: parent)
    }
  }

  /// Relatives of a holder that would not show their descriptors may have inherited the same.
  func unseenRelatives(of holders: [Int32]) -> [Int32] {
    guard !table.closed.isEmpty else { return [] }
    return table.closed.filter { pid in
      var ancestor = table.parent(of: pid)
      // A chain of parents ends at 1; a table that changes while it is read could have a loop.
      for _ in 0..<64 {
        guard let one = ancestor, one > 1 else { return false }
        if holders.contains(one) { return true }
        ancestor = table.parent(of: one)
      }
      return false
    }.sorted()
  }

  private func notAlone(_ pids: [Int32], _ waiter: Int32) -> [Int32] {
    let holders = Set(pids)
    return holders.isEmpty || holders == [waiter] ? [] : holders.sorted()
  }

  private func fileLock(_ request: FileLock, _ target: String, _ waiter: Int32) -> [Int32] {
    let inTheWay = locks.filter { $0.isInTheWay(of: request) }
    if inTheWay.contains(where: { $0.family != .process }), !table.isComplete { return [] }
    var holders: Set<Int32> = []
    for lock in inTheWay {
      let sharing =
        lock.family == .process
        ? []
        : table.openings(of: target).filter { opening in
          table.fileLocks(opening).contains {
            $0.family == lock.family && $0.file == lock.file && $0.range == lock.range
          }
        }.map(\.pid)
      if !sharing.isEmpty { holders.formUnion(sharing) } else if let pid = lock.pid { holders.insert(pid) }
    }
    return holders.sorted()
  }
}
