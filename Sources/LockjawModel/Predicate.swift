/// What a thread does, behind its name.
package enum Predicate {
  private static let verbs: Set<Substring> = [
    "is", "was", "has", "had", "runs", "ran", "does", "sleeps", "waits", "ended", "exited",
  ]

  /// "is asleep in read", also where the state says only "asleep in read".
  package static func words(_ state: String) -> String {
    verbs.contains(state.prefix { $0 != " " }) ? state : "is " + state
  }
}
