import LockjawGraph
import LockjawInspect
import LockjawModel

/// What a report says of other processes: their threads' stacks, their locks, and what the kernel keeps.
extension Surroundings {
  /// A reader of stacks for each process whose threads a finding names. One that is not among those read already stands
  /// still for a moment, so that it can be said what its thread is doing.
  func readers(for findings: [RawFinding]) -> [Int: StackReader] {
    var readers: [Int: StackReader] = [:]
    for finding in findings {
      let named =
        finding.members + finding.edges.flatMap { $0.holders.prefix(1) } + (finding.culprit.map { [$0] } ?? [])
      for tid in named {
        guard let one = neighbour(of: tid), readers[one.index] == nil, one.refusal == nil else { continue }
        one.takeStacks(mayStop: mayStop)
        readers[one.index] = StackReader(arena: one.arena, target: one.target, snapshot: one.snapshot)
      }
    }
    return readers
  }

  /// `nil` for a lock in the process' own memory.
  func lockReport(
    _ number: Address, _ type: LockType, id: String, word: LockWord?, readers: [Int: StackReader]
  ) -> LockReport? {
    if let wait = kernelObject(number) {
      return LockReport(
        id: id, address: Address(0), type: type, library: "kernel", name: name(of: wait), state: state(of: number, wait)
      )
    }
    guard let (one, address) = whereabouts(of: number) else { return nil }
    return LockReport(
      id: id, address: address, type: type, library: word?.library.rawValue ?? "glibc",
      name: readers[one.index]?.name(of: address),
      state: (word?.description ?? "not read") + sharing(of: address, in: one), process: one.process.pid)
  }

  /// ", in memory shared through /dev/shm/bank (offset 0x40)"; empty for private memory.
  func sharing(of address: Address) -> String { sharing(of: address, in: itself) }

  private func sharing(of address: Address, in one: Neighbour) -> String {
    guard let place = one.mappings.place(of: address) else { return "" }
    // Anonymous shared memory has a name that says nothing.
    let isAnonymous = place.path.isEmpty || place.path.hasPrefix("/dev/zero (deleted)")
    let offset = "offset 0x" + String(place.offset, radix: 16)
    return isAnonymous
      ? ", in anonymous shared memory (\(offset))" : ", in memory shared through \(place.path) (\(offset))"
  }

  private func name(of wait: KernelWait) -> String {
    switch wait {
    case .fileLock(_, let target): target
    case .pipe(let target, _): target
    case .socket(let inode): "socket:[\(inode)]"
    case .child(let pid): "process \(pid)"
    case .anyChild(let parent): "any child of process \(parent)"
    }
  }

  private func state(of number: Address, _ wait: KernelWait) -> String {
    let holders = pids(having: number)
    let shown = holders.prefix(4).map { pid in
      neighbours.first { $0.process.pid == pid }?.outline.nameInFull ?? "\(pid)"
    }
    let more = holders.count > shown.count ? " and \(holders.count - shown.count) more" : ""
    let list = "process \(shown.joined(separator: ", process "))\(more)"
    switch wait {
    case .fileLock(let request, _):
      let call = request.family == .flock ? "flock" : request.family == .process ? "fcntl" : "fcntl, of an open file"
      return "locked (\(call)) by \(list)"
    case .pipe(_, let awaitsWriter): return "its \(awaitsWriter ? "writing" : "reading") end is open in \(list)"
    case .socket: return "its other end is open in \(list)"
    case .child: return "\(list) has not ended"
    case .anyChild: return "none of \(list) has ended"
    }
  }

  /// The processes that the report's threads and locks belong to, apart from its own.
  func reports(of threads: [ThreadReport], _ locks: [LockReport]) -> [ProcessReport] {
    let named = Set(threads.compactMap(\.process) + locks.compactMap(\.process))
    return neighbours.dropFirst().filter { named.contains($0.process.pid) }.map { one in
      let outline = one.outline
      return ProcessReport(
        pid: outline.identity.pid, command: outline.command.isEmpty ? outline.name : outline.command,
        executable: outline.executable, condition: one.process.isAlive ? "running" : "gone")
    }
  }
}
