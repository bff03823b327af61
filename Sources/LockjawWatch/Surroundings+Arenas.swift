import LockjawArena
import LockjawDiagnosis
import LockjawInspect

extension Examination.Glance {
  /// The same moment with the processes that waits lead to, those that were started with the shim read through their arenas.
  func lookingAround(
    _ process: LiveProcess, target: any Target, arena: ArenaReader?, mayStop: Bool = true
  ) -> Examination.Glance {
    adding(
      SurroundingsSearch.around(
        process, self, target: target, arena: arena, limits: .init(mayStop: mayStop)
      ) { other in
        ArenaSearch.path(of: other).flatMap { try? ArenaReader(path: $0) }
      })
  }
}
