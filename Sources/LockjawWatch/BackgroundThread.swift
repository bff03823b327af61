import CLockjawNative
import Glibc

/// A thread of its own for work that blocks in the kernel, which a task of the concurrency runtime must not do.
struct BackgroundThread {
  private let thread: pthread_t

  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Starts `run` on a new thread, named as given (cut at 15 bytes).
  init?(named name: String, _ run: @escaping @Sendable () -> Void) {
    let body = Unmanaged.passRetained(Body(run))
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, body.toOpaque())
    guard failure == 0 else {
      body.release()
      return nil
    }
    lj_name_thread(thread, String(decoding: name.utf8.prefix(15), as: UTF8.self))
    self.thread = thread
  }

  func join() { pthread_join(thread, nil) }
}
