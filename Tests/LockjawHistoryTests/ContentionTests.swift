import LockjawHistory
import LockjawModel
import LockjawTestPrograms
import Testing

private func use(
  _ object: UInt64?, at site: UInt64, callers: [UInt64] = [], _ type: LockType = .mutex, operations: UInt64 = 1,
  waits: UInt64 = 0, waited nanoseconds: UInt64 = 0, ticks: UInt64 = 1
) -> SiteCount {
  SiteCount(
    purpose: .use, object: object.map { Address($0) },
    site: CallSite(address: Address(site), callers: callers.map { Address($0) }), type: type, mode: .exclusive,
    operations: operations, waits: waits, waitNanoseconds: nanoseconds, longestWaitNanoseconds: nanoseconds,
    seenTicks: ticks)
}

private func made(_ object: UInt64, at site: UInt64, _ type: LockType = .mutex, ticks: UInt64 = 1) -> SiteCount {
  SiteCount(
    purpose: .initialisation, object: Address(object), site: CallSite(address: Address(site)), type: type,
    mode: .exclusive, operations: 1, seenTicks: ticks)
}

@Suite("Counts are put together by classes of locks") struct ContentionTests {
  @Test("Locks initialised in one place are one class, by the latest initialisation of each")
  func initialised() {
    let contention = Contention([
      made(0xa0, at: 0x10), made(0xa1, at: 0x10), made(0xb0, at: 0x10, ticks: 5), made(0xb0, at: 0x20, ticks: 9),
      use(0xa0, at: 0x100, operations: 3), use(0xa1, at: 0x200, operations: 4), use(0xb0, at: 0x100, operations: 5),
    ])
    #expect(contention.classes.map(\.locks) == [[Address(0xa0), Address(0xa1)], [Address(0xb0)]])
    #expect(contention.classes.map(\.origin) == [.initialised, .initialised])
    #expect(contention.classes.map(\.place.address) == [Address(0x10), Address(0x20)])
    #expect(contention.classes[0].sites.map(\.tally.operations) == [4, 3])
  }

  @Test("A lock whose initialisation nobody saw is of the class of its first use, callers included")
  func firstUse() {
    let contention = Contention([
      use(0xa0, at: 0x100, callers: [0x1], ticks: 3), use(0xa0, at: 0x300, ticks: 8),
      use(0xa1, at: 0x100, callers: [0x1], ticks: 4), use(0xa2, at: 0x100, callers: [0x2], ticks: 5),
    ])
    let classes = contention.classes.map { Set($0.locks) }
    #expect(Set(classes) == [[Address(0xa0), Address(0xa1)], [Address(0xa2)]])
    #expect(contention.classes.allSatisfy { $0.origin == .firstUsed })
  }

  @Test("The same address with another type is another lock")
  func reusedAddress() {
    let contention = Contention([
      made(0xa0, at: 0x10, .rwlock), use(0xa0, at: 0x100, .rwlock), use(0xa0, at: 0x200, .mutex),
    ])
    #expect(Set(contention.classes.map(\.type)) == [.rwlock, .mutex])
    #expect(contention.classes.first { $0.type == .mutex }?.origin == .firstUsed)
  }

  @Test("What was waited for most comes first, and a wait that goes on counts")
  func order() {
    let contention = Contention(
      [
        made(0xa0, at: 0x10), made(0xb0, at: 0x20), made(0xc0, at: 0x30),
        use(0xa0, at: 0x100, operations: 1000), use(0xb0, at: 0x200, waits: 1, waited: 2_000_000_000),
        use(0xc0, at: 0x300, operations: 2),
      ],
      waiting: [
        Contention.OngoingWait(
          object: Address(0xc0), type: .mutex, mode: .exclusive, site: CallSite(address: Address(0x301)), seconds: 3)
      ])
    #expect(contention.classes.map { $0.locks[0].rawValue } == [0xc0, 0xb0, 0xa0])
    let first = contention.classes[0]
    #expect(first.tally.waitingNow == 1 && first.tally.waitingNowSeconds == 3 && first.tally.waits == 0)
    #expect(first.sites.map(\.place.address.rawValue) == [0x301, 0x300])
  }

  @Test("The sum over all classes is the sum over all rows, whatever their order", arguments: 0..<20)
  func sums(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var rows: [SiteCount] = []
    for object in UInt64(1)...40 {
      if random.next() % 2 == 0 { rows.append(made(object, at: random.next() % 5 + 1)) }
      for site in UInt64(1)...4 where random.next() % 3 > 0 {
        rows.append(
          use(
            random.next() % 7 == 0 ? nil : object, at: site * 16 + object % 2,
            random.next() % 2 == 0 ? .mutex : .rwlock,
            operations: random.next() % 100, waits: random.next() % 10, waited: random.next() % 1000))
      }
    }
    let contention = Contention(rows)
    let used = rows.filter { $0.purpose == .use }
    #expect(
      contention.classes.map(\.tally.operations).reduce(0, +) == used.map(\.operations).reduce(0, +))
    #expect(
      contention.classes.flatMap(\.sites).map(\.tally.waits).reduce(0, +) == used.map(\.waits).reduce(0, +))
    #expect(Contention(rows.shuffled(using: &random)) == contention)
  }

  @Test("Locks that were not told apart are counted by their site; a profile names only what it shows")
  func naming() {
    var asked: [UInt64] = []
    let profile = Profile(
      Contention([
        use(nil, at: 0x100, operations: 9), made(0xa0, at: 0x10), use(0xa0, at: 0x200, operations: 8),
        use(0xd0, at: 0x400, .condition, operations: 7), use(0xb0, at: 0x300, operations: 1),
      ]), level: .sites, limit: 2,
      naming: Profile.Naming(
        frame: { place in
          asked.append(place.address.rawValue)
          return nil
        }, name: { "lock \($0)" }))
    #expect(profile.locks.classes.map(\.origin) == [.notToldApart, .initialised])
    #expect(profile.locks.omittedClasses == 1 && profile.locks.tally.operations == 18 && profile.locks.lockCount == 2)
    #expect(profile.signals.classes.map(\.type) == [.condition])
    #expect(profile.locks.classes[1].names == ["lock 0xa0"])
    #expect(!asked.contains(0x300), "a class that is not shown")
  }
}
