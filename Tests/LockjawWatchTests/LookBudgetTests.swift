import LockjawModel
import Testing

@testable import LockjawWatch

/// How long a process is left alone after a look at it.
@Suite struct LookBudgetTests {
  private static func at(_ seconds: Double) -> Instant { Instant(nanoseconds: UInt64((1000 + seconds) * 1e9)) }

  @Test(
    "After a look comes a rest of twenty times its cost, at most the stall, and of four times its cost in any case",
    arguments: [(cost: 0.1, rest: 2.0), (0.8, 10), (2, 10), (3, 12)])
  func rests(cost: Double, rest: Double) {
    var budget = LookBudget(longestRest: 10)
    #expect(budget.allows(at: Self.at(0)))
    budget.spent(cost, at: Self.at(0))
    #expect(!budget.allows(at: Self.at(rest - 0.01)))
    #expect(budget.allows(at: Self.at(rest + 0.01)))
  }
}
