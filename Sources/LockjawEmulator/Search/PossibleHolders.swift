import LockjawModel

/// A frame that may hold a lock.
package struct PossibleHold: Hashable, Sendable {
  package var tid: ThreadID
  /// Index into the thread's frames.
  package var frame: Int
  package init(tid: ThreadID, frame: Int) {
    self.tid = tid
    self.frame = frame
  }
}

extension HolderSearch {
  /// Frames that may hold a lock of which holders are missing: neither their own call's landing pad nor a run forward tells,
  /// but the pads of the calls on either side both release it.
  ///
  /// A guard that lives at both neighbours mostly lives in between, too. It need not: it may have been forgotten after the
  /// first, and made anew for the second. So these are never holders.
  package func possibleHolders(of lock: LockSemantics, among threads: [SearchedThread]) -> [PossibleHold] {
    threads.compactMap { thread in
      var frames = thread.frames.indices.compactMap { index in frame(index, of: thread).map { (index, $0) } }
      // The call that waits for the lock has neighbours that hold it because it has come by then.
      if thread.awaits?.lock == lock.address { frames = Array(frames.dropFirst()) }
      return frames.first { mayHold($0.1, lock) }.map { PossibleHold(tid: thread.tid, frame: $0.0) }
    }
  }

  private func mayHold(_ frame: FrameRun.Frame, _ lock: LockSemantics) -> Bool {
    guard case .none = tables.landingPad(returnAddress: frame.returnAddress) else { return false }
    let pads = tables.neighbouringPads(returnAddress: frame.returnAddress)
    return !pads.isEmpty
      && pads.allSatisfy { pad in
        _ = run.landingPad(pad, of: frame, watching: [lock])
        let first = run.events.first { $0.operation != .neutral }
        if case .release? = first?.operation { return true }
        return false
      }
  }
}
