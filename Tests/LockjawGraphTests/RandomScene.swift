import LockjawModel
import LockjawTestPrograms

/// A random process: locks of every kind that has holders, rings, chains and trees planted on top of noise.
struct RandomScene {
  var scene = Scene()
  let prefersWriters: Bool

  private enum Kind: CaseIterable { case mutex, rwlock, semaphore }
  private var kinds: [Kind] = []
  private var generator: SplitMix

  init(seed: UInt64, threads limit: Int) {
    generator = SplitMix(seed: seed)
    prefersWriters = Bool.random(using: &generator)
    let count = Int.random(in: 1...limit, using: &generator)
    let lockCount = Int.random(in: 1...max(1, count * 2), using: &generator)
    // Semaphores open by any permit, which dissolves cycles: fewer of them, or only small ones would be left.
    kinds = (0..<lockCount).map { _ in
      switch Int.random(in: 0..<10, using: &generator) {
      case 0: .semaphore
      case 1...4: .rwlock
      default: .mutex
      }
    }
    for tid in (1...Int32(count)).shuffled(using: &generator) { scene.thread(tid) }
    hand(outOf: count)
    for _ in 0..<Int.random(in: 0...3, using: &generator) { plantRing(upTo: min(16, count)) }
    if Int.random(in: 0..<6, using: &generator) == 0 { plantUpgrade() }
    if Int.random(in: 0..<3, using: &generator) == 0 { weave() }
    let waitShare = Int.random(in: 0...100, using: &generator)
    for index in scene.threads.indices where scene.threads[index].wait == nil {
      if Int.random(in: 0..<100, using: &generator) < waitShare { wait(index) }
    }
    let timedShare = [0, 0, 10, 50].randomElement(using: &generator) ?? 0
    for index in scene.threads.indices where Int.random(in: 0..<100, using: &generator) < timedShare {
      scene.threads[index].wait?.deadline = Scene.now
    }
    if Bool.random(using: &generator) || prefersWriters { scene.agree(prefersWriters: prefersWriters) }
  }

  private func object(_ lock: Int) -> UInt64 { UInt64(lock + 1) << 8 }

  /// Gives each lock its holders: one, or several readers, or nobody.
  private mutating func hand(outOf count: Int) {
    for lock in kinds.indices {
      let isShared = kinds[lock] != .mutex && Bool.random(using: &generator)
      for _ in 0..<(isShared ? Int.random(in: 0...3, using: &generator) : Int.random(in: 0...1, using: &generator)) {
        take(lock, by: Int.random(in: 0..<count, using: &generator), isShared: isShared)
      }
    }
  }

  private mutating func take(_ lock: Int, by index: Int, isShared: Bool) {
    switch kinds[lock] {
    case .mutex: scene.threads[index].held.append(.mutex(object(lock)))
    case .rwlock: scene.threads[index].held.append(isShared ? .read(object(lock)) : .write(object(lock)))
    case .semaphore:
      scene.threads[index].permits.append(
        Permit(
          object: Address(object(lock)), site: CallSite(address: Address(1)), takenTicks: generator.next() >> 1,
          count: 1))
    }
  }

  /// Threads that hold a fresh mutex each and wait for the next one's.
  private mutating func plantRing(upTo limit: Int) {
    let length = Int.random(in: 1...max(1, limit), using: &generator)
    let ring = scene.threads.indices.filter { scene.threads[$0].wait == nil }.shuffled(using: &generator).prefix(length)
    guard let start = ring.first else { return }
    let first = kinds.count
    for (step, index) in ring.enumerated() {
      kinds.append(.mutex)
      scene.threads[index].held.append(.mutex(object(first + step)))
      scene.threads[index].wait = .mutex(object(first + (step + 1) % ring.count))
    }
    // H7: a ring of one is a relock, so the mutex was its own when the wait began.
    let owner = scene.threads[start].tid
    if ring.count == 1 { scene.threads[start].wait?.ownerAtBegin = owner }
  }

  /// Up to three threads that read a fresh rwlock and want to write it.
  private mutating func plantUpgrade() {
    kinds.append(.rwlock)
    let idle = scene.threads.indices.filter { scene.threads[$0].wait == nil }
    for index in idle.shuffled(using: &generator).prefix(Int.random(in: 1...3, using: &generator)) {
      scene.threads[index].held.append(.read(object(kinds.count - 1)))
      scene.threads[index].wait = .write(object(kinds.count - 1))
    }
  }

  /// Idle threads that each want to write an rwlock of their own which one to three others read: components with
  /// many cycles of different lengths.
  private mutating func weave() {
    let idle = scene.threads.indices.filter { scene.threads[$0].wait == nil }
    let woven = idle.shuffled(using: &generator).prefix(Int.random(in: 2...16, using: &generator))
    for index in woven {
      kinds.append(.rwlock)
      let others = woven.filter { $0 != index }.shuffled(using: &generator)
      for reader in others.prefix(Int.random(in: 1...3, using: &generator)) {
        scene.threads[reader].held.append(.read(object(kinds.count - 1)))
      }
      scene.threads[index].wait = .write(object(kinds.count - 1))
    }
  }

  private mutating func wait(_ index: Int) {
    if Int.random(in: 0..<12, using: &generator) == 0, let target = scene.threads.randomElement(using: &generator) {
      scene.threads[index].wait = .join(target.tid.rawValue)
      return
    }
    let lock = Int.random(in: kinds.indices, using: &generator)
    switch kinds[lock] {
    case .mutex: scene.threads[index].wait = .mutex(object(lock))
    case .rwlock:
      scene.threads[index].wait = Bool.random(using: &generator) ? .read(object(lock)) : .write(object(lock))
    case .semaphore: scene.threads[index].wait = .on(.semaphore, .exclusive, object(lock))
    }
  }
}
