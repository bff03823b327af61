import LockjawModel

extension LiveProcess {
  /// More about what a thread is doing, in sentences: who has the other end of the pipe or socket it sleeps on, which file
  /// lock is in its way, what its child is and does. Empty where its call says it all.
  ///
  /// Looks at the descriptors of every process for a pipe or socket; so it is for reports, not for every pass.
  package func elaboration(of thread: ThreadID) -> [String] {
    let table = ProcessTable()
    var locks: [FileLock]?
    let wait = kernelWait(of: thread) {
      let all = locks ?? FileLock.all()
      locks = all
      return all
    }
    switch wait {
    case nil: return []
    case .pipe(let target, let awaitsWriter):
      return pipe(target, awaitsWriter: awaitsWriter, table)
    case .socket(let inode): return socket(inode, table)
    case .child(let pid): return [child(pid)]
    case .anyChild:
      let children = table.children(of: pid)
      return children.isEmpty ? [] : children.prefix(4).map(child) + Self.more(children.count - 4, "children")
    case .fileLock(let request, let target):
      let inTheWay = FileLock.all().filter { $0.isInTheWay(of: request) }
      return inTheWay.prefix(4).compactMap { lock in
        lock.pid.map { "\(target) is locked by process \(Self.inFull($0))." }
      }
    }
  }

  private func pipe(_ target: String, awaitsWriter: Bool, _ table: ProcessTable) -> [String] {
    guard table.isComplete else { return [] }
    let others = table.openings(of: target).filter { opening in
      table.access(opening).map { awaitsWriter ? $0.writes : $0.reads } ?? false
    }
    let end = awaitsWriter ? "writing" : "reading"
    let pids = Set(others.map(\.pid)).sorted()
    // A process that hides its descriptors may have it: then nothing is said of nobody.
    guard !pids.isEmpty else {
      return table.closed.isEmpty ? ["Nobody has the \(end) end of \(target) open any more."] : []
    }
    return ["The \(end) end of \(target) is open in process \(Self.list(pids))."]
  }

  private func socket(_ inode: UInt64, _ table: ProcessTable) -> [String] {
    if let peer = SocketEnds.unixPeer(of: inode) {
      guard table.isComplete else { return [] }
      let pids = Set(table.openings(of: "socket:[\(peer)]").map(\.pid)).sorted()
      return pids.isEmpty ? [] : ["The other end of unix socket \(inode) is open in process \(Self.list(pids))."]
    }
    return SocketEnds.name(of: inode, in: self).map { ["socket:[\(inode)] is \($0)."] } ?? []
  }

  private func child(_ pid: Int32) -> String {
    guard let child = try? LiveProcess(pid: pid) else { return "Child \(pid) has ended." }
    return "Child \(child.nameInFull) \(Self.predicate(child.activity(of: ThreadID(pid))))."
  }

  private static func predicate(_ activity: String) -> String {
    activity.hasPrefix("asleep") || activity.hasPrefix("in ") ? "is \(activity)" : activity
  }

  private static func list(_ pids: [Int32]) -> String {
    pids.prefix(4).map(inFull).joined(separator: ", process ") + (pids.count > 4 ? " and \(pids.count - 4) more" : "")
  }

  private static func inFull(_ pid: Int32) -> String { (try? LiveProcess(pid: pid))?.nameInFull ?? "\(pid)" }

  private static func more(_ count: Int, _ noun: String) -> [String] { count > 0 ? ["\(count) more \(noun)."] : [] }
}
