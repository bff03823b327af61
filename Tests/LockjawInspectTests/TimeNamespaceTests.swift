import Testing

@testable import LockjawInspect

@Suite("Time namespaces") struct TimeNamespaceTests {
  @Test("What the kernel says of a namespace is read, seconds before boot included")
  func read() {
    let ahead = TimeNamespace("monotonic     1000000         0\nboottime         5000 500000000")
    #expect(ahead == TimeNamespace(monotonicNanoseconds: 1_000_000_000_000_000, bootNanoseconds: 5_000_500_000_000))
    let behind = TimeNamespace("monotonic       -3000         0\nboottime           -1 500000000")
    #expect(behind == TimeNamespace(monotonicNanoseconds: -3_000_000_000_000, bootNanoseconds: -500_000_000))
    #expect(TimeNamespace("monotonic           0         0\nboottime            0         0") == .machine)
  }

  @Test(
    "What makes no sense is no namespace",
    arguments: [
      "", "monotonic 1 0", "monotonic 1\nboottime 1", "monotonic x 0\nboottime 1 0", "monotonic 1 -1\nboottime 1 0",
      "monotonic 1 1000000000\nboottime 1 0", "monotonic 9223372036854775807 0\nboottime 1 0",
    ])
  func senseless(text: String) { #expect(TimeNamespace(text) == nil) }

  @Test("Times of the namespace become the machine's")
  func machineTimes() {
    let ahead = TimeNamespace(monotonicNanoseconds: 5_000_000_000, bootNanoseconds: 7_000_000_000)
    #expect(ahead.machineNanoseconds(5_000_000_123) == 123)
    #expect(ahead.machineTicks(750) == 50)
    let behind = TimeNamespace(monotonicNanoseconds: -5_000_000_000, bootNanoseconds: -7_000_000_000)
    #expect(behind.machineNanoseconds(123) == 5_000_000_123)
    #expect(behind.machineTicks(50) == 750)
  }
}
