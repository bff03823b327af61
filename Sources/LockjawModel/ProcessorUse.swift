/// What became of a thread during a short watch: how long it ran, and how long it could have run and was not let.
package struct ProcessorUse: Hashable, Sendable {
  /// How long it was watched, by the watcher's clock.
  package var watchedNanoseconds: UInt64
  /// How long the watch was meant to be: the difference is the watcher's own wait for a processor.
  package var intendedNanoseconds: UInt64
  package var ranNanoseconds: UInt64
  /// Ready to run, and waiting for a processor (the scheduler's run delay).
  package var delayedNanoseconds: UInt64
  /// All the processor time it has used since it began.
  package var totalNanoseconds: UInt64
  /// Share of the last ten seconds in which some thread of the machine waited for a processor (PSI, 0 to 100);
  /// `nil` where the kernel does not count it.
  package var hostPressurePercent: Double?
  /// How long the thread's control group was held back by its quota during the watch; `nil` where it has none.
  package var throttledNanoseconds: UInt64?

  package init(
    watchedNanoseconds: UInt64, intendedNanoseconds: UInt64, ranNanoseconds: UInt64, delayedNanoseconds: UInt64,
    totalNanoseconds: UInt64, hostPressurePercent: Double? = nil, throttledNanoseconds: UInt64? = nil
  ) {
    self.watchedNanoseconds = watchedNanoseconds
    self.intendedNanoseconds = intendedNanoseconds
    self.ranNanoseconds = ranNanoseconds
    self.delayedNanoseconds = delayedNanoseconds
    self.totalNanoseconds = totalNanoseconds
    self.hostPressurePercent = hostPressurePercent
    self.throttledNanoseconds = throttledNanoseconds
  }
}
