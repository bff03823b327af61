// A document and its index, each with an NSLock. Saving takes the document, then the index; searching takes them the
// other way round. NSLock is a pthread mutex, so the whole cycle is visible.
//
// lockjaw: verdict=deadlock certainty=proven threads=2 bystanders=0
import Foundation

/// All state is written under its lock, which makes the class safe to share.
final class Library: @unchecked Sendable {
  private let documentLock = NSLock(), indexLock = NSLock()
  private let meeting = NSCondition()
  private var arrived = 0
  private var text = "the quick brown fox", words: [Substring] = [], searches = 0

  func save() {
    documentLock.lock()  // lockjaw: holds document thread=saver
    awaitTheOther()
    indexLock.lock()  // lockjaw: waits index thread=saver
    words = text.split(separator: " ")
    indexLock.unlock()
    documentLock.unlock()
  }

  func search(_ word: Substring) -> Bool {
    indexLock.lock()  // lockjaw: holds index thread=searcher
    awaitTheOther()
    documentLock.lock()  // lockjaw: waits document thread=searcher
    searches += 1
    let found = words.contains(word)
    documentLock.unlock()
    indexLock.unlock()
    return found
  }

  /// Lets both threads through together, once each has its first lock.
  private func awaitTheOther() {
    meeting.lock()
    arrived += 1
    meeting.broadcast()
    while arrived < 2 { meeting.wait() }
    meeting.unlock()
  }
}

@main
struct NSLockABBA {
  static func main() {
    if ProcessInfo.processInfo.environment["LOCKJAW_SAMPLE_FOREVER"] == nil { alarm(300) }
    let library = Library()
    Thread.detachNewThread {
      pthread_setname_np(pthread_self(), "saver")
      library.save()
    }
    Thread.detachNewThread {
      pthread_setname_np(pthread_self(), "searcher")
      print(library.search("fox"))
    }
    while true { pause() }
  }
}
