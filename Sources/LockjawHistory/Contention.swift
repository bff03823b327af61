import LockjawModel

/// Counts of threads' tables, put together by classes of locks and their call sites; pure, addresses only.
///
/// C1. Locks whose latest initialisation was seen at one place are of one class (lockdep's rule: a class is the code that
///     makes the lock).
/// C2. Of a lock whose initialisation nobody saw (a static one, `std::mutex`), its first use with its callers stands for it.
/// C3. The same address with another type is another lock.
/// C4. A wait that goes on counts for its class and site, though no row has it yet: it is the most important of all.
/// C5. The sum over all classes is the sum over all rows.
package struct Contention: Hashable, Sendable {
  /// A wait that goes on.
  package struct OngoingWait: Hashable, Sendable {
    package var object: Address
    package var type: LockType
    package var mode: LockMode
    package var site: CallSite
    package var seconds: Double
    package init(object: Address, type: LockType, mode: LockMode, site: CallSite, seconds: Double) {
      self.object = object
      self.type = type
      self.mode = mode
      self.site = site
      self.seconds = seconds
    }
  }

  package struct Class: Hashable, Sendable {
    package var type: LockType
    package var origin: LockClassProfile.Origin
    package var place: CallSite
    /// In ascending order; empty where they are not told apart.
    package var locks: [Address]
    package var tally: LockTally
    /// The most waited-for first.
    package var sites: [Site]
  }

  package struct Site: Hashable, Sendable {
    package var place: CallSite
    package var mode: LockMode
    package var tally: LockTally
  }

  /// The most waited-for first; then the most used.
  package let classes: [Class]

  /// - Parameter counts: each pair of lock and site once, as `ArenaReader.siteCounts` gives them.
  package init(_ counts: [SiteCount], waiting: [OngoingWait] = []) {
    // Sums of seconds depend on their order, and a table's rows have none.
    let counts = counts.sorted { Self.order($0) < Self.order($1) }
    let origins = Origins(counts, waiting)
    var growing: [Origins.Key: GrowingClass] = [:]
    for count in counts where count.purpose == .use {
      growing[origins.of(count.object, count.type, count.site), default: GrowingClass()].take(count)
    }
    for wait in waiting {
      growing[origins.of(wait.object, wait.type, wait.site), default: GrowingClass()].take(wait)
    }
    classes = growing.map { key, grown in
      Class(
        type: key.type, origin: key.origin, place: key.place, locks: grown.locks.sorted(), tally: grown.tally,
        sites: grown.sites.map { Site(place: $1.place, mode: $1.mode, tally: $1.tally) }
          .sorted { Self.comes($0.tally, $0.place, before: $1.tally, $1.place) })
    }.sorted {
      $0.tally.allWaitSeconds == $1.tally.allWaitSeconds && $0.tally.operations == $1.tally.operations
        && $0.place.address == $1.place.address
        ? ($0.type.rawValue, $0.locks.first?.rawValue ?? 0) < ($1.type.rawValue, $1.locks.first?.rawValue ?? 0)
        : Self.comes($0.tally, $0.place, before: $1.tally, $1.place)
    }
  }

  private static func order(_ count: SiteCount) -> (UInt64, UInt64, UInt64, UInt64, UInt64) {
    (
      count.object?.rawValue ?? 0, count.site.address.rawValue, count.operations, count.waitNanoseconds, count.seenTicks
    )
  }

  /// Time waited, then use, then address: the same counts give the same order.
  private static func comes(_ a: LockTally, _ placeA: CallSite, before b: LockTally, _ placeB: CallSite) -> Bool {
    if a.allWaitSeconds != b.allWaitSeconds { return a.allWaitSeconds > b.allWaitSeconds }
    if a.operations != b.operations { return a.operations > b.operations }
    return placeA.address < placeB.address
  }
}

/// Of which class each lock is.
private struct Origins {
  struct Key: Hashable {
    var type: LockType
    var origin: LockClassProfile.Origin
    var place: CallSite
  }
  private struct Lock: Hashable {
    var object: Address
    var type: LockType
  }
  private var made: [Lock: (ticks: UInt64, place: CallSite)] = [:]
  private var used: [Lock: (ticks: UInt64, place: CallSite)] = [:]

  init(_ counts: [SiteCount], _ waiting: [Contention.OngoingWait]) {
    for count in counts {
      guard let object = count.object else { continue }
      let lock = Lock(object: object, type: count.type)
      switch count.purpose {
      case .initialisation:
        if let known = made[lock], known.ticks >= count.seenTicks { continue }
        made[lock] = (count.seenTicks, count.site)
      case .use:
        if let known = used[lock], (known.ticks, known.place.address) <= (count.seenTicks, count.site.address) {
          continue
        }
        used[lock] = (count.seenTicks, count.site)
      }
    }
    for wait in waiting where used[Lock(object: wait.object, type: wait.type)] == nil {
      used[Lock(object: wait.object, type: wait.type)] = (.max, wait.site)
    }
  }

  func of(_ object: Address?, _ type: LockType, _ site: CallSite) -> Key {
    guard let object else {
      return Key(type: type, origin: .notToldApart, place: CallSite(address: site.address))
    }
    let lock = Lock(object: object, type: type)
    if let made = made[lock] { return Key(type: type, origin: .initialised, place: made.place) }
    return Key(type: type, origin: .firstUsed, place: used[lock]?.place ?? site)
  }
}

/// A class while rows come in.
private struct GrowingClass {
  struct Site {
    var place: CallSite
    var mode: LockMode
    var tally = LockTally()
  }
  var locks: Set<Address> = []
  var tally = LockTally()
  var sites: [Address: Site] = [:]

  mutating func take(_ count: SiteCount) {
    if let object = count.object { locks.insert(object) }
    let row = LockTally(count)
    tally.add(row)
    sites[count.site.address, default: Site(place: count.site, mode: count.mode)].tally.add(row)
  }

  mutating func take(_ wait: Contention.OngoingWait) {
    locks.insert(wait.object)
    let row = LockTally(waitingNow: 1, waitingNowSeconds: wait.seconds.isFinite ? max(wait.seconds, 0) : 0)
    tally.add(row)
    sites[wait.site.address, default: Site(place: wait.site, mode: wait.mode)].tally.add(row)
  }
}

extension LockTally {
  package init(_ count: SiteCount) {
    self.init(
      operations: count.operations, failures: count.failures, waits: count.waits,
      waitSeconds: Double(count.waitNanoseconds) / 1e9,
      longestWaitSeconds: Double(count.longestWaitNanoseconds) / 1e9,
      timedHolds: count.timedHolds &+ count.contendedHolds,
      estimatedHoldSeconds: count.estimatedHoldNanoseconds.map { Double($0) / 1e9 },
      longestHoldSeconds: Double(count.longestHoldNanoseconds) / 1e9)
  }

  /// Wrapping: a hostile arena may say anything, and a sum of true counts does not get there.
  package mutating func add(_ other: LockTally) {
    operations &+= other.operations
    failures &+= other.failures
    waits &+= other.waits
    waitSeconds += other.waitSeconds
    longestWaitSeconds = max(longestWaitSeconds, other.longestWaitSeconds)
    timedHolds &+= other.timedHolds
    if let more = other.estimatedHoldSeconds { estimatedHoldSeconds = (estimatedHoldSeconds ?? 0) + more }
    longestHoldSeconds = max(longestHoldSeconds, other.longestHoldSeconds)
    waitingNow += other.waitingNow
    waitingNowSeconds += other.waitingNowSeconds
  }
}
