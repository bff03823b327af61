import LockjawModel

/// Every process of the machine with its parent and what its descriptors are: who could end a wait in the kernel.
///
/// One look at all of `/proc`, made when it is first asked. Processes of other users show their parents, not their
/// descriptors: those are counted, and whoever draws a conclusion from "nobody else has it" must mind them.
package final class ProcessTable {
  package struct Opening: Hashable, Sendable {
    package var pid: Int32
    package var descriptor: Int32
    package init(pid: Int32, descriptor: Int32) {
      self.pid = pid
      self.descriptor = descriptor
    }
  }

  private let descriptorLimit: Int

  package let pids: [Int32]
  private lazy var parents: [Int32: Int32] = makeParents()
  private lazy var descriptors = makeDescriptors()

  /// - Parameter descriptorLimit: more descriptors than this are not looked at; `isComplete` says so.
  package init(descriptorLimit: Int = 400_000) {
    self.descriptorLimit = descriptorLimit
    pids = ((try? ProcFile.numbers(in: "/proc")) ?? []).sorted()
  }

  /// Children that have not ended, in the order of their numbers.
  package func children(of pid: Int32) -> [Int32] { pids.filter { parents[$0] == pid } }

  /// Children, their children and so on, nearest first.
  package func descendants(of pid: Int32, limit: Int) -> [Int32] {
    var found: [Int32] = []
    var seen: Set<Int32> = [pid]
    var queue = [pid][...]
    while let one = queue.popFirst(), found.count < limit {
      for child in children(of: one) where seen.insert(child).inserted {
        found.append(child)
        queue.append(child)
      }
    }
    return Array(found.prefix(limit))
  }

  package func parent(of pid: Int32) -> Int32? { parents[pid] }

  /// Who has what `target` names, as `/proc/PID/fd` writes it: `pipe:[4711]`, `socket:[815]`, a path.
  package func openings(of target: String) -> [Opening] { descriptors.openings[target] ?? [] }

  /// Processes that would not show what they have open.
  package var closed: Set<Int32> { descriptors.closed }
  /// No process was left out for its number of descriptors. Else "nobody else has it" cannot be said of anything.
  package var isComplete: Bool { descriptors.isComplete }

  /// Whether `opening` can be read from, and written to; `nil` where it is gone.
  package func access(_ opening: Opening) -> (reads: Bool, writes: Bool)? {
    guard let text = try? ProcFile.text("/proc/\(opening.pid)/fdinfo/\(opening.descriptor)") else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix("flags:") }
    guard let digits = line?.dropFirst(6).drop(while: { $0 == "\t" || $0 == " " }), let flags = Int(digits, radix: 8)
    else { return nil }
    switch flags & 3 {  // O_ACCMODE
    case 0: return (true, false)
    case 1: return (false, true)
    default: return (true, true)
    }
  }

  /// Locks that belong to the open file behind `opening`.
  package func fileLocks(_ opening: Opening) -> [FileLock] {
    guard let text = try? ProcFile.text("/proc/\(opening.pid)/fdinfo/\(opening.descriptor)") else { return [] }
    return text.split(separator: "\n").filter { $0.hasPrefix("lock:") }.compactMap { FileLock(String($0)) }
  }

  private func makeParents() -> [Int32: Int32] {
    pids.reduce(into: [:]) { parents, pid in
      guard let stat = try? TaskStat(firstOf: pid), !stat.isKernelThread else { return }
      // A main thread that has called pthread_exit looks ended while its process lives.
      if stat.hasEnded, (try? ProcFile.numbers(in: "/proc/\(pid)/task").count) ?? 0 < 2 { return }
      parents[pid] = stat.parent
    }
  }

  private func makeDescriptors() -> (openings: [String: [Opening]], closed: Set<Int32>, isComplete: Bool) {
    var openings: [String: [Opening]] = [:]
    var closed: Set<Int32> = []
    var count = 0
    for pid in pids {
      // A main thread that has ended takes the process' own view of its descriptors along; its threads keep theirs.
      let directory = directory(of: pid)
      guard let numbers = try? ProcFile.numbers(in: directory) else {
        if parents[pid] != nil { closed.insert(pid) }
        continue
      }
      count += numbers.count
      guard count <= descriptorLimit else { return (openings, closed, false) }
      for number in numbers {
        guard let target = try? ProcFile.link("\(directory)/\(number)") else { continue }
        openings[target, default: []].append(Opening(pid: pid, descriptor: number))
      }
    }
    return (openings, closed, true)
  }

  private func directory(of pid: Int32) -> String {
    guard let process = try? LiveProcess(pid: pid), process.liveDirectory != process.directory else {
      return "/proc/\(pid)/fd"
    }
    return "\(process.liveDirectory)/fd"
  }
}
