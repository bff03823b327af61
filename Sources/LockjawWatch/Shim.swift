import Glibc
import LockjawInspect
import LockjawReport

/// Where liblockjaw.so is. It travels beside the executable, so that both can be copied anywhere together.
package enum Shim {
  /// `$LOCKJAW_SHIM`, else beside the executable, else in `../lib`.
  ///
  /// The loader says one line about a library that it cannot preload, and starts the program without. So what it will not load is
  /// refused here, before anything runs uncovered.
  /// - Throws: `shimNotFound`, `shimUnusable`, `shimPathUnusable`.
  package static func locate() throws(WatchError) -> String {
    let path = try search()
    // The loader splits LD_PRELOAD at both and knows no escape: the program would run uncovered.
    guard !path.contains(where: { $0 == " " || $0 == ":" }) else { throw .shimPathUnusable(path: path) }
    if let reason = refusal(of: path) { throw .shimUnusable(path: path, reason: reason) }
    return path
  }

  /// Why this file is not the library, as a clause; `nil` where it is.
  private static func refusal(of path: String) -> String? {
    let file: ELFFile
    do { file = try ELFFile(path: path) } catch {
      switch error {
      case .notAnELFFile(_, let reason): return reason
      case .system(_, _, let code): return sentence(code)
      default: return error.description
      }
    }
    guard file.isSharedObject, !file.segments.contains(where: { $0.type == ELFSegment.interpreter }) else {
      return "it is a program, not a library"
    }
    guard file.hasEverySegment else { return "it is damaged: its end is missing" }
    guard file.sharedObjectName == name else {
      return "it is another library"
        + (file.sharedObjectName.isEmpty ? "" : " (\(Printable.escaped(file.sharedObjectName)))")
    }
    return nil
  }

  /// What the library calls itself, whatever its file is called.
  private static let name = "liblockjaw.so"

  private static func search() throws(WatchError) -> String {
    if let named = environmentValue("LOCKJAW_SHIM") {
      guard access(named, R_OK) == 0 else { throw .shimUnusable(path: named, reason: sentence(errno)) }
      return absolute(named)
    }
    let directory = executableDirectory()
    let candidates = [
      "\(directory)/liblockjaw.so", "\(directory)/liblockjaw_preload.so", "\(directory)/../lib/liblockjaw.so",
    ]
    for candidate in candidates where access(candidate, R_OK) == 0 { return absolute(candidate) }
    throw .shimNotFound(searched: candidates)
  }

  package static func executablePath() -> String { linkTarget("/proc/self/exe") ?? "lockjaw" }

  /// A path that means the same from any directory; the file need not exist.
  static func fromHere(_ path: String) -> String {
    guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
    defer { free(here) }
    return String(cString: here) + "/" + path
  }

  private static func executableDirectory() -> String {
    let path = executablePath()
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func absolute(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

func environmentValue(_ name: String) -> String? {
  guard let value = getenv(name) else { return nil }
  let text = String(cString: value)
  return text.isEmpty ? nil : text
}

/// Where a symbolic link points; `nil` where it cannot be read.
func linkTarget(_ path: String) -> String? {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer -> String? in
    guard let base = buffer.baseAddress else { return nil }
    let length = readlink(path, base, 4095)
    guard length > 0 else { return nil }
    return String(decoding: UnsafeRawBufferPointer(start: base, count: length), as: UTF8.self)
  }
}
