import LockjawInspect
import LockjawModel

/// Which sleeps in the kernel a patrol finds worth a whole look: each that it has met twice, once.
struct PatrolRecord {
  /// What this patrol, and the one before it, saw asleep, by process.
  private var seen: [Int32: Set<KernelSleeper>] = [:]
  private var before: [Int32: Set<KernelSleeper>] = [:]
  private var examined: Set<KernelSleeper> = []

  /// A patrol begins.
  mutating func begin() {
    // Sleeps that are over come never again.
    examined.formIntersection(seen.values.reduce(into: Set()) { $0.formUnion($1) })
    (before, seen) = (seen, [:])
  }

  /// Notes who sleeps in a process, and tells which of those slept already at the last patrol and were not looked at.
  mutating func due(_ sleepers: Set<KernelSleeper>, of pid: Int32) -> Set<KernelSleeper> {
    seen[pid] = sleepers
    return sleepers.intersection(before[pid] ?? []).subtracting(examined)
  }

  /// A whole look has been taken, which made the threads run for an instant. Who is back in the same call from the same place
  /// has slept on.
  /// - Parameter sleepers: as they are after it.
  mutating func looked(at due: Set<KernelSleeper>, of pid: Int32, after sleepers: Set<KernelSleeper>) {
    examined.formUnion(due)
    let known = Dictionary(due.map { ($0.thread, $0.stillness) }, uniquingKeysWith: { first, _ in first })
    let back = sleepers.filter { known[$0.thread]?.isInCall(of: $0.stillness) ?? false }
    examined.formUnion(back)
    seen[pid, default: []].formUnion(back)
  }
}
