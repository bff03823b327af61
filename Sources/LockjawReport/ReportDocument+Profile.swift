import LockjawModel

// The profile in `lockjaw.report/1`: what was counted at levels `sites` and `all`.
//
//     profile   level: in force, locks, signals, notes: [sentence]
//     locks     classes, omitted_classes, lock_count, TALLY over all classes; `signals` likewise: conditions, semaphores,
//               barriers, joins, futexes
//     classes   type, origin: initialised | first-used | not-told-apart, at?: FRAME, lock_count, names: [string], TALLY,
//               sites, omitted_sites; the most waited-for first
//     sites     at?: FRAME, mode, TALLY; the most waited-for first
//     TALLY     operations, failures, waits, wait_seconds, longest_wait_seconds, timed_holds, hold_seconds?,
//               longest_hold_seconds, waiting_now, waiting_now_seconds
//
// `operations`, `failures` and `waits` are exact, `wait_seconds` is the time of all of them; `hold_seconds` is estimated from
// `timed_holds` holds.

enum ProfileField: String, CodingKey {
  case level, locks, signals, notes
}

enum ProfileSectionField: String, CodingKey {
  case classes, tally
  case omittedClasses = "omitted_classes"
  case lockCount = "lock_count"
}

enum LockClassField: String, CodingKey {
  case type, origin, at, names, tally, sites
  case lockCount = "lock_count"
  case omittedSites = "omitted_sites"
}

enum SiteField: String, CodingKey {
  case at, mode, tally
}

enum TallyField: String, CodingKey {
  case operations, failures, waits
  case waitSeconds = "wait_seconds"
  case longestWaitSeconds = "longest_wait_seconds"
  case timedHolds = "timed_holds"
  case holdSeconds = "hold_seconds"
  case longestHoldSeconds = "longest_hold_seconds"
  case waitingNow = "waiting_now"
  case waitingNowSeconds = "waiting_now_seconds"
}

extension JSONWriter {
  mutating func profile(_ profile: Profile) {
    object { object in
      object.put(ProfileField.level, profile.level.rawValue)
      object.put(ProfileField.locks) { $0.section(profile.locks) }
      object.put(ProfileField.signals) { $0.section(profile.signals) }
      object.put(ProfileField.notes) { $0.array(profile.notes) { $0.string($1) } }
    }
  }

  private mutating func section(_ section: ProfileSection) {
    object { object in
      object.put(ProfileSectionField.classes) { $0.array(section.classes) { $0.lockClass($1) } }
      object.put(ProfileSectionField.omittedClasses, section.omittedClasses)
      object.put(ProfileSectionField.lockCount, section.lockCount)
      object.put(ProfileSectionField.tally) { $0.tally(section.tally) }
    }
  }

  private mutating func lockClass(_ one: LockClassProfile) {
    object { object in
      object.put(LockClassField.type, one.type.rawValue)
      object.put(LockClassField.origin, one.origin.rawValue)
      object.putIfKnown(LockClassField.at, one.at)
      object.put(LockClassField.lockCount, one.lockCount)
      object.put(LockClassField.names) { $0.array(one.names, inline: true) { $0.string($1) } }
      object.put(LockClassField.tally) { $0.tally(one.tally) }
      object.put(LockClassField.sites) { $0.array(one.sites) { $0.site($1) } }
      object.put(LockClassField.omittedSites, one.omittedSites)
    }
  }

  private mutating func site(_ site: SiteProfile) {
    object { object in
      object.putIfKnown(SiteField.at, site.at)
      object.put(SiteField.mode, site.mode.rawValue)
      object.put(SiteField.tally) { $0.tally(site.tally) }
    }
  }

  private mutating func tally(_ tally: LockTally) {
    object(inline: true) { object in
      object.put(TallyField.operations, tally.operations)
      object.put(TallyField.failures, tally.failures)
      object.put(TallyField.waits, tally.waits)
      object.put(TallyField.waitSeconds, tally.waitSeconds)
      object.put(TallyField.longestWaitSeconds, tally.longestWaitSeconds)
      object.put(TallyField.timedHolds, tally.timedHolds)
      if let hold = tally.estimatedHoldSeconds { object.put(TallyField.holdSeconds, hold) }
      object.put(TallyField.longestHoldSeconds, tally.longestHoldSeconds)
      object.put(TallyField.waitingNow, tally.waitingNow)
      object.put(TallyField.waitingNowSeconds, tally.waitingNowSeconds)
    }
  }
}

extension Profile: JSONReadable {
  static func read(_ fields: Fields<ProfileField>) throws -> Profile {
    Profile(
      level: try fields.choice(.level), locks: try fields.one(.locks), signals: try fields.one(.signals),
      notes: try fields.texts(.notes))
  }
}

extension ProfileSection: JSONReadable {
  static func read(_ fields: Fields<ProfileSectionField>) throws -> ProfileSection {
    ProfileSection(
      classes: try fields.many(.classes), omittedClasses: try fields.number(.omittedClasses),
      lockCount: try fields.number(.lockCount), tally: try fields.one(.tally))
  }
}

extension LockClassProfile: JSONReadable {
  static func read(_ fields: Fields<LockClassField>) throws -> LockClassProfile {
    LockClassProfile(
      type: try fields.choice(.type), origin: try fields.choice(.origin), at: try fields.oneIfKnown(.at),
      lockCount: try fields.number(.lockCount), names: try fields.texts(.names), tally: try fields.one(.tally),
      sites: try fields.many(.sites), omittedSites: try fields.number(.omittedSites))
  }
}

extension SiteProfile: JSONReadable {
  static func read(_ fields: Fields<SiteField>) throws -> SiteProfile {
    SiteProfile(at: try fields.oneIfKnown(.at), mode: try fields.choice(.mode), tally: try fields.one(.tally))
  }
}

extension LockTally: JSONReadable {
  static func read(_ fields: Fields<TallyField>) throws -> LockTally {
    LockTally(
      operations: try fields.number(.operations), failures: try fields.number(.failures),
      waits: try fields.number(.waits), waitSeconds: try fields.seconds(.waitSeconds),
      longestWaitSeconds: try fields.seconds(.longestWaitSeconds), timedHolds: try fields.number(.timedHolds),
      estimatedHoldSeconds: fields.container.contains(.holdSeconds) ? try fields.seconds(.holdSeconds) : nil,
      longestHoldSeconds: try fields.seconds(.longestHoldSeconds), waitingNow: try fields.number(.waitingNow),
      waitingNowSeconds: try fields.seconds(.waitingNowSeconds))
  }
}
