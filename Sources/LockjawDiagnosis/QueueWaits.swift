import LockjawModel

/// Threads that wait for their turn on a dispatch queue.
///
/// A serial queue, or a barrier on a concurrent one, is a lock, and two blocks that `sync` on each other's queue are a
/// deadlock. Whose turn it is are bits inside libdispatch; that a thread waits for one its stack says: libdispatch has a
/// function of that name for exactly this reason (`__DISPATCH_WAIT_FOR_QUEUE__`, src/queue.c).
enum QueueWaits {
  private static let namedThreads = 6

  /// - Returns: `nil` where nobody does.
  static func sentence(_ threads: [ThreadReport]) -> String? {
    let waits = threads.compactMap { thread in caller(thread.stack).map { (thread.tid, $0) } }.sorted { $0.0 < $1.0 }
    guard !waits.isEmpty else { return nil }
    let named = waits.prefix(namedThreads).map { "thread \($0.0)\($0.1)" }.joined(separator: ", ")
    let more = waits.count > namedThreads ? ", and \(waits.count - namedThreads) more" : ""
    return "\(waits.count == 1 ? "1 thread waits" : "\(waits.count) threads wait") for a turn on a dispatch queue: "
      + "\(named)\(more). Such a queue is a lock, and who has it is not seen: blocks that sync on each other's queue, or "
      + "on their own, are a deadlock that is not named here."
  }

  /// Where the program asked for its turn, as " in transfer() (bank.swift:7)"; `nil` where the thread does not wait for one.
  private static func caller(_ stack: [Frame]) -> String? {
    guard let wait = stack.firstIndex(where: { $0.function == "__DISPATCH_WAIT_FOR_QUEUE__" }) else { return nil }
    let frame = stack[wait...].first { frame in
      let function = frame.function ?? ""
      return !frame.isPlumbing && !function.isEmpty && !frame.module.hasPrefix("libswiftDispatch.")
        && !function.hasPrefix("Dispatch.") && function != "__DISPATCH_WAIT_FOR_QUEUE__"
    }
    guard let frame, let function = frame.function else { return "" }
    let file = frame.file?.split(separator: "/").last.map(String.init)
    let place = file.map { file in " (\(file)\(frame.line.map { ":\($0)" } ?? ""))" } ?? ""
    return " in \(function)\(place)"
  }
}
