/// What was not recorded, as sentences.
///
/// Each says what the reader can no longer rely on because of it; a bare count would leave that to guess. The causes'
/// names are those of the arena's reader; an unknown one, from a newer arena, is still shown.
package enum Losses {
  /// One sentence a cause, in the order of the causes' names; causes with a count of zero say nothing.
  package static func sentences(_ losses: [String: UInt64]) -> [String] {
    losses.sorted { $0.key < $1.key }.filter { $0.value > 0 }.map { sentence(cause: $0.key, count: $0.value) }
  }

  static func sentence(cause: String, count: UInt64) -> String {
    let one = count == 1
    let were = one ? "1 lock operation was" : "\(count) lock operations were"
    switch spelledWithHyphens(cause) {
    case "no-slot": return "\(were) not recorded: the arena had no slot left for the thread."
    case "held-overflow":
      return
        "\(one ? "1 held lock" : "\(count) held locks") found no place in the arena: a thread's list of held locks is incomplete."
    case "reentrant": return "\(were) not recorded: made while lockjaw set itself up in the same thread."
    case "foreign", "foreign-release":
      return
        "\(one ? "1 release" : "\(count) releases") by a thread that did not hold the lock could not be attributed: a lock may be listed as held that is free."
    case "modules":
      return
        "\(one ? "1 module" : "\(count) modules") found no place in the arena's list: frames in \(one ? "it" : "them") have no names."
    case "early", "before-set-up": return "\(were) not recorded: made before lockjaw was set up in the process."
    case "late", "after-exit": return "\(were) not recorded: made by a thread that had already ended for lockjaw."
    case "permit", "permit-evicted":
      return
        "\(one ? "1 semaphore permit was" : "\(count) semaphore permits were") forgotten: a thread had too many at a time."
    case "no-memory":
      return
        "\(one ? "1 page" : "\(count) pages") of the arena could not be allocated (is its file system full?): what belonged there was not recorded."
    case "uncounted": return "\(were) not counted: their threads' tables of locks and call sites were full."
    case "no-ring": return "\(were) not kept: no memory could be had for their threads' rings."
    case "annotations":
      return
        "\(one ? "1 name, breadcrumb or heartbeat" : "\(count) names, breadcrumbs or heartbeats") of the program's own found no place."
    case "vanished-pages":
      return
        "\(one ? "1 page" : "\(count) pages") of the arena could not be read: its file was cut while it was looked at."
    default: return "\(one ? "1 event was" : "\(count) events were") lost: \(Printable.escaped(cause))."
    }
  }

  /// `heldOverflow`, `held_overflow` and `held-overflow` are one cause.
  private static func spelledWithHyphens(_ cause: String) -> String {
    var result = ""
    for character in cause {
      if character.isUppercase {
        result += "-" + character.lowercased()
      } else {
        result.append(character == "_" ? "-" : character)
      }
    }
    return result
  }
}
