import CLockjawNative
import Glibc
import LockjawInspect

/// The debuginfod servers the user has configured (debuginfod_find_debuginfo(3)). A report waits for them for some
/// seconds in all and not longer, and after the first that gives no answer it asks no more.
///
/// Use it from one thread at a time.
package final class DebugServer {
  private let urls: String
  private let cache: String
  private var millisecondsLeft: Int64
  private let budgetMilliseconds: Int64
  private var known: [String: Bool] = [:]
  /// Why nothing more is asked.
  package private(set) var complaint: String?

  /// - Parameters:
  ///   - urls: separated by spaces.
  ///   - cache: the debuginfod client's directory.
  ///   - seconds: to wait for, all files together.
  package init(urls: String, cache: String, seconds: Double = 5) {
    self.urls = urls
    self.cache = cache
    budgetMilliseconds = Int64(min(max(seconds, 0.001), 3600) * 1000)
    millisecondsLeft = budgetMilliseconds
  }

  /// `$DEBUGINFOD_URLS`, for `$DEBUGINFOD_MAXTIME` seconds or five; `nil` where no server is set.
  package static var configured: DebugServer? {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    guard let urls = variable("DEBUGINFOD_URLS"), urls.contains("/"), let cache = DebugInfoCache.directory else {
      return nil
    }
    let seconds = variable("DEBUGINFOD_MAXTIME").flatMap { Double($0) }.flatMap { $0 > 0 ? $0 : nil }
    return DebugServer(urls: urls, cache: cache, seconds: seconds ?? 5)
  }

  /// Has the debug information of a build put into the cache.
  /// - Returns: whether it is there now.
  func fetch(buildID: String) -> Bool {
    // It becomes a part of an address and of a path.
    guard complaint == nil, (8...128).contains(buildID.utf8.count), buildID.allSatisfy(\.isHexDigit) else {
      return false
    }
    if let answer = known[buildID] { return answer }
    let begin = monotonicNanoseconds()
    let status = lj_debuginfod_fetch(buildID, urls, cache, millisecondsLeft)
    millisecondsLeft -= Int64((monotonicNanoseconds() - begin) / 1_000_000)
    known[buildID] = status == 0
    switch -status {
    case 0, ENOENT: break
    case ENOSYS:
      complaint =
        "DEBUGINFOD_URLS is set, but libdebuginfod.so.1 is not there to ask with: install libdebuginfod1, or unset it."
    case ETIMEDOUT:
      complaint =
        "The debuginfod server (\(shownURLs)) gave no answer for build-id \(buildID) within \(waited): the report was "
        + "made without. DEBUGINFOD_MAXTIME=60 waits for up to a minute."
    default:
      complaint =
        "The debuginfod server (\(shownURLs)) could not be asked (\(String(cString: strerror(-status)))): the report was "
        + "made without."
    }
    if complaint == nil, millisecondsLeft <= 0 {
      complaint = "Debug information was fetched for \(waited); no more was asked for."
    }
    return status == 0
  }

  private var waited: String {
    budgetMilliseconds % 1000 == 0 ? "\(budgetMilliseconds / 1000) s" : "\(budgetMilliseconds) ms"
  }
  private var shownURLs: String { urls.utf8.count > 200 ? String(urls.prefix(200)) + "…" : urls }
}
