/// Tells a frame that goes round in circles: it comes back to one of its own calls, and what lies between is work.
///
/// A frame that gives back many guards calls one function for each of them, too. But a drop takes a few dozen
/// instructions; a round of a thread's main loop takes hundreds or thousands, and would go on until the run's limit ends
/// it. So it takes rounds and instructions, and many more rounds where they are short. What leads out of such a loop
/// is then found by turning one of its branches.
struct CircleWatch {
  private static let calls = 8
  private static let rounds = 4
  /// Between the first and the last of `rounds`.
  private static let instructions = 2_000
  /// A round of fewer instructions than this is short.
  private static let longRound = 100
  private static let shortRounds = 400

  /// Return addresses of the first `calls` different calls, 0 where there is none yet.
  private var places = SIMD8<UInt64>()
  private var visits = SIMD8<Int>()
  private var firstVisits = SIMD8<Int>()

  /// Notes a call of the frame itself.
  /// - Parameter executed: instructions so far.
  mutating func isCircling(_ returnAddress: UInt64, _ executed: Int) -> Bool {
    for index in 0..<Self.calls {
      if places[index] == 0 {
        (places[index], visits[index], firstVisits[index]) = (returnAddress, 1, executed)
        return false
      }
      if places[index] == returnAddress {
        visits[index] += 1
        let (visits, span) = (visits[index], executed - firstVisits[index])
        return visits >= Self.rounds && span >= Self.instructions
          && (span >= (visits - 1) * Self.longRound || visits >= Self.shortRounds)
      }
    }
    return false
  }
}
