import LockjawModel

extension LockSemantics {
  /// abseil LTS 20220623, synchronization/mutex.cc: 8 a writer has it, 1 readers have it, 4 threads wait; above bit 8 the
  /// number of readers, while nobody waits.
  ///
  /// Unlocking looks before it changes anything: `Unlock` and `ReaderUnlock` go their short way only where the word they
  /// load is held and has no waiters. Locking looks as well, and where it sees the lock held it looks again (it spins) or
  /// queues itself. So a look finds the lock held as it is and without waiters; the same instruction's second look
  /// finds it free, so that the lock is taken and spinning ends.
  func abseilMutex(
    _ access: LockAccess, _ offset: Int, _ word: UInt64, _ isRepeated: Bool
  ) -> (operation: LockOperation, presented: UInt64?) {
    guard offset == 0 else { return (.neutral, nil) }
    let (reader, wait, writer, oneReader): (UInt64, UInt64, UInt64, UInt64) = (1, 4, 8, 0x100)
    switch access {
    case .load:
      if isRepeated { return (.neutral, 0) }
      if word & writer != 0 { return (.neutral, writer) }
      // Two readers, so that one who leaves is not the last.
      return (.neutral, word & reader != 0 ? reader | 2 * oneReader : 0)
    case .compareExchange(let expected, let new):
      // In the queue: it waits for the lock.
      if new & wait != 0, expected & wait == 0 { return (.acquire(nil), expected) }
      if new & writer != 0, expected & writer == 0 { return (.acquire(.write), expected) }
      if new & writer == 0, expected & writer != 0 { return (.release(.write), expected) }
      if new & reader != 0, expected & reader == 0 || new == expected &+ oneReader {
        return (.acquire(.read), expected)
      }
      if expected & reader != 0, new & reader == 0 || new == expected &- oneReader {
        return (.release(.read), expected)
      }
      return (.neutral, expected)
    default: return (.neutral, nil)
    }
  }
}
