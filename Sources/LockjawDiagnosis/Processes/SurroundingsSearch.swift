import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

/// Follows waits over process borders, from one process outwards.
///
/// A wait leads out where the kernel says who could end it (a file lock, the other end of a pipe or socket, a child), and
/// where the word of a lock in shared memory names a thread of another process. From there the same questions are
/// asked again, a bounded number of processes far.
package struct SurroundingsSearch {
  package struct Limits: Sendable {
    package var hops = 8
    package var processes = 48
    /// Neighbours stand still for a moment to be read; else they are read as they sleep.
    package var mayStop: Bool
    package init(mayStop: Bool = true) { self.mayStop = mayStop }
  }

  private let limits: Limits
  private let arenaOf: (LiveProcess) -> ArenaReader?
  private let table = ProcessTable()
  private var neighbours: [Neighbour]
  private var indices: [Int32: Int]
  private var diagnostics: [String] = []

  /// - Parameters:
  ///   - glance: what is known of the process itself.
  ///   - arenaOf: the arena of a process that was started with the shim.
  /// - Returns: `nil` where no wait of the process leads out of it.
  package static func around(
    _ process: LiveProcess, _ glance: Examination.Glance, target: any Target, arena: ArenaReader?,
    limits: Limits = Limits(), arenaOf: @escaping (LiveProcess) -> ArenaReader?
  ) -> Surroundings? {
    let itself = Neighbour(itself: process, glance, target: target, arena: arena)
    var search = SurroundingsSearch(itself, limits, arenaOf)
    itself.askKernel(FileLock.all)
    itself.decodeWords()
    guard !itself.kernelWaits.isEmpty || !itself.ownersElsewhere.isEmpty else { return nil }
    guard !process.isInOtherPidNamespace else { return nil }
    search.explore()
    return search.result()
  }

  private init(_ itself: Neighbour, _ limits: Limits, _ arenaOf: @escaping (LiveProcess) -> ArenaReader?) {
    self.limits = limits
    self.arenaOf = arenaOf
    neighbours = [itself]
    indices = [itself.process.pid: 0]
  }

  // MARK: outwards

  private mutating func explore() {
    let holders = Holders(table: table, locks: FileLock.all())
    var next = 0
    while next < neighbours.count {
      let one = neighbours[next]
      next += 1
      for wait in Set(one.kernelWaits.values) {
        for pid in holders.of(wait, waiter: one.process.pid) where pid != one.process.pid { _ = visit(pid, from: one) }
      }
      // Whoever is free goes on by itself, whatever its other threads wait for.
      if !one.isRead, !one.hasFreeThread { one.read(arena: arenaOf(one.process), mayStop: limits.mayStop) }
      follow(ownersOf: one)
    }
  }

  /// Owners of shared locks are read whatever their other threads do: only the owner itself can let go.
  private mutating func follow(ownersOf one: Neighbour) {
    for (owner, lock, place) in one.ownersElsewhere {
      guard let process = try? LiveProcess(pid: owner.rawValue) else { continue }
      guard let other = visit(process.pid, from: one) else { continue }
      guard other.mappings.address(of: place) != nil || other.refusal != nil else {
        diagnostics.append(
          "The word of the lock at \(lock) names thread \(owner), which is one of process \(process.nameInFull); that process "
            + "does not map the lock, so the number is an older thread's, or one of another pid namespace.")
        continue
      }
      let wasRead = other.isRead
      other.read(arena: arenaOf(other.process), mayStop: limits.mayStop)
      // Visited before, and then not read: its own owners are followed now.
      if !wasRead, other.index < one.index { follow(ownersOf: other) }
    }
  }

  private mutating func visit(_ pid: Int32, from one: Neighbour) -> Neighbour? {
    if let known = indices[pid] { return neighbours[known] }
    guard one.hops < limits.hops, neighbours.count < limits.processes else {
      let limit = "\(limits.hops) processes far and over \(limits.processes) processes"
      let sentence = "Waits were followed \(limit); process \(pid) is beyond that and counts as able to go on."
      if diagnostics.count < 8 { diagnostics.append(sentence) }
      return nil
    }
    guard let process = try? LiveProcess(pid: pid) else { return nil }
    let other = Neighbour(process, index: neighbours.count, hops: one.hops + 1)
    if let refusal = other.refusal {
      diagnostics.append("What process \(process.nameInFull) does could not be seen: \(refusal)")
    }
    other.askKernel(FileLock.all)
    indices[pid] = other.index
    neighbours.append(other)
    return other
  }

  // MARK: the result

  private mutating func result() -> Surroundings {
    for one in neighbours { one.settle(FileLock.all) }
    return Surroundings(
      neighbours: neighbours, holders: Holders(table: ProcessTable(), locks: FileLock.all()), diagnostics: diagnostics,
      mayStop: limits.mayStop)
  }
}
