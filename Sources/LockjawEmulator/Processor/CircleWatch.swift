/// Tells a frame that goes round in circles: it comes back to one of its own calls, and what lies between is work.
///
/// A frame that gives back many guards calls one function for each of them, too. But a drop takes a few dozen
/// instructions; a round of a thread's main loop takes thousands, and would go on until the run's limit ends it. So
/// it takes both, rounds and instructions. What leads out of such a loop is then found by turning one of its branches.
struct CircleWatch {
  private static let calls = 8
  private static let rounds = 4
  /// Between the first and the last of `rounds`.
  private static let instructions = 2_000

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
        return visits[index] >= Self.rounds && executed - firstVisits[index] >= Self.instructions
      }
    }
    return false
  }
}
