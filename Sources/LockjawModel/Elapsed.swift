/// Time spans in words, as short as they can be without losing what matters.
package enum Elapsed {
  /// "0.4 ms", "850 ms", "3.2 s", "2 min 5 s", "3 h 4 min", "2 d 3 h".
  package static func words(_ seconds: Double) -> String {
    // The number may come from a hostile arena: NaN, negative, or past what an Int holds.
    guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "an unknown time" }
    if seconds < 0.000_95 { return tenths(seconds * 1e6) + " µs" }
    if seconds < 0.099_95 { return tenths(seconds * 1e3) + " ms" }
    if seconds < 0.999_5 { return "\(Int((seconds * 1e3).rounded())) ms" }
    if seconds < 59.95 { return tenths(seconds) + " s" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return pair(whole / 60, "min", whole % 60, "s") }
    if whole < 86400 { return pair(whole / 3600, "h", whole % 3600 / 60, "min") }
    return pair(whole / 86400, "d", whole % 86400 / 3600, "h")
  }

  private static func tenths(_ value: Double) -> String {
    let scaled = Int((value * 10).rounded())
    return scaled % 10 == 0 ? "\(scaled / 10)" : "\(scaled / 10).\(scaled % 10)"
  }

  private static func pair(_ large: Int, _ largeUnit: String, _ small: Int, _ smallUnit: String) -> String {
    small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
  }
}
