import LockjawModel

extension Profile {
  /// What names addresses: the report's own symbols.
  package struct Naming {
    package var frame: (CallSite) -> Frame?
    package var name: (Address) -> String?
    package init(frame: @escaping (CallSite) -> Frame?, name: @escaping (Address) -> String?) {
      self.frame = frame
      self.name = name
    }
  }

  /// Sites of a class that are named, and locks of a class.
  private static let mostSites = 16
  private static let mostNames = 4

  /// The `limit` most waited-for classes of locks, and as many of signals, with names and lines; nothing else is named, so
  /// that a program with thousands of locks costs no more.
  package init(
    _ contention: Contention, level: RecordingLevel, limit: Int, naming: Naming, notes: [String] = []
  ) {
    self.init(
      level: level,
      locks: Self.section(contention.classes.filter { $0.type.isContended }, limit, naming),
      signals: Self.section(contention.classes.filter { !$0.type.isContended }, limit, naming), notes: notes)
  }

  private static func section(_ classes: [Contention.Class], _ limit: Int, _ naming: Naming) -> ProfileSection {
    var section = ProfileSection(
      classes: classes.prefix(limit).map { profile($0, naming) }, omittedClasses: max(0, classes.count - limit))
    for one in classes {
      section.tally.add(one.tally)
      section.lockCount += one.locks.count
    }
    return section
  }

  private static func profile(_ one: Contention.Class, _ naming: Naming) -> LockClassProfile {
    LockClassProfile(
      type: one.type, origin: one.origin, at: naming.frame(one.place), lockCount: one.locks.count,
      names: one.locks.prefix(mostNames).compactMap(naming.name), tally: one.tally,
      sites: one.sites.prefix(mostSites).map {
        SiteProfile(at: naming.frame($0.place), mode: $0.mode, tally: $0.tally)
      },
      omittedSites: max(0, one.sites.count - mostSites))
  }
}

extension LockType {
  /// Waiting for one is contention: somebody has it who will give it back. Semaphores are as often used to signal.
  var isContended: Bool { hasHolder && isForShortWaits && self != .semaphore }
}
