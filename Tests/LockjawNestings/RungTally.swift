import LockjawEmulator

/// Answers by the way they were found: what the table of rungs is made of.
package struct RungTally {
  package var right: [FoundHold.Rung: Int] = [:]
  package var wrong: [FoundHold.Rung: Int] = [:]
  /// Holds that nobody was named for, though a frame has the guard.
  package var unknown = 0
  /// The same where no frame has it: there "unknown" is the right answer.
  package var withoutFrame = 0

  package init() {}

  package static func + (a: RungTally, b: RungTally) -> RungTally {
    var sum = a
    sum.right.merge(b.right, uniquingKeysWith: +)
    sum.wrong.merge(b.wrong, uniquingKeysWith: +)
    sum.unknown += b.unknown
    sum.withoutFrame += b.withoutFrame
    return sum
  }

  package static let header = """
    | build | holds | landing pad right / wrong | forward run right / wrong | unknown | no frame has it: said so |
    |---|---|---|---|---|---|
    """

  package func row(_ build: String) -> String {
    func pair(_ rung: FoundHold.Rung) -> String { "\(right[rung, default: 0]) / \(wrong[rung, default: 0])" }
    let holds = right.values.reduce(0, +) + unknown + withoutFrame
    return "| \(build) | \(holds) | \(pair(.landingPad)) | \(pair(.forwardRun)) | \(unknown) | \(withoutFrame) |"
  }
}
