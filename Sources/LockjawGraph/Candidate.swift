import LockjawModel

/// One waiter and what stands in its way.
package struct CandidateEdge: Hashable, Sendable {
  /// Why `holders` stand in the waiter's way.
  package enum Blocking: Hashable, Sendable {
    /// They have the lock.
    case holds
    /// They wait for write in front of a reader, and the lock prefers writers.
    case pendingWriter
    /// The waiter joins them.
    case joined
    /// Nobody is known who does.
    case unknown
  }

  package var waiter: ThreadID
  /// What the thread really waits for: of a condition wait that was woken and re-acquires its mutex, that mutex.
  package var object: Address
  package var type: LockType
  package var mode: LockMode
  /// In a cycle the first is the waiter of the next edge. Empty where no holder is known.
  package var holders: [ThreadID]
  package var evidence: HolderEvidence
  package var blocking: Blocking
  /// Mode in which `holders[0]` has the lock; `nil` where it has not (pending writer, join) or nothing says.
  package var holderMode: LockMode?
  /// The arena's entry of `holders[0]` for this lock, with its acquire site.
  package var hold: Held?
  /// The holders are a guess (semaphore permits): others could end the wait.
  package var isWeak: Bool
  package var site: CallSite
  package var since: Instant
  package var deadline: Instant?

  package init(
    waiter: ThreadID, object: Address, type: LockType, mode: LockMode, holders: [ThreadID],
    evidence: HolderEvidence, blocking: Blocking = .holds, holderMode: LockMode? = nil, hold: Held? = nil,
    isWeak: Bool = false, site: CallSite, since: Instant, deadline: Instant? = nil
  ) {
    self.waiter = waiter
    self.object = object
    self.type = type
    self.mode = mode
    self.holders = holders
    self.evidence = evidence
    self.blocking = blocking
    self.holderMode = holderMode
    self.hold = hold
    self.isWeak = isWeak
    self.site = site
    self.since = since
    self.deadline = deadline
  }
}

/// A cycle in the graph of one moment. Whether it is a deadlock is for the witnesses to say.
package struct Candidate: Hashable, Sendable {
  package var kind: FindingKind
  /// Every thread of the strongly connected component, in ascending order.
  package var members: [ThreadID]
  /// A shortest cycle among the members, begun at its smallest thread id.
  package var cycle: [CandidateEdge]
  /// The one edge that each member has, in the order of `members`.
  package var memberEdges: [CandidateEdge]
  /// Threads stuck behind this cycle (and nearer to it than to any other) without being part of it, ascending.
  package var bystanders: [ThreadID]
  /// A member's wait has a time limit. Members of a lasting cycle never have one; see `CandidateSearch`.
  package var hasDeadline: Bool
  /// The cycle has a semaphore in it, and whether threads that have ended posted it as strangers is not known.
  package var hasUnknownPosts: Bool
  /// Where arena and lock words disagreed about a lock of this cycle. Sentences.
  package var notes: [String]

  package init(
    kind: FindingKind, members: [ThreadID], cycle: [CandidateEdge], memberEdges: [CandidateEdge],
    bystanders: [ThreadID] = [], hasDeadline: Bool = false, hasUnknownPosts: Bool = false,
    notes: [String] = []
  ) {
    self.kind = kind
    self.members = members
    self.cycle = cycle
    self.memberEdges = memberEdges
    self.bystanders = bystanders
    self.hasDeadline = hasDeadline
    self.hasUnknownPosts = hasUnknownPosts
    self.notes = notes
  }

  /// The locks whose words a judgement needs.
  package var locks: Set<Address> {
    Set(memberEdges.lazy.filter { $0.type != .join && !$0.type.isKernelObject }.map(\.object))
  }
  /// Whether any edge rests on a guess about who could end the wait.
  package var isWeak: Bool { cycle.contains(where: \.isWeak) }
}
