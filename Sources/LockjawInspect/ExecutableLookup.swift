import CLockjawNative
import Glibc

extension ExecutableKind {
  /// Looks `command` up as `execvp` does: a name with a slash is a path, others are searched for in `searchPath`
  /// (`nil`: the system's default), and what is neither ELF nor a `#!` script is given to `/bin/sh`.
  package static func of(command: String, searchPath: String?) -> ExecutableKind {
    if command.isEmpty { return .notFound(name: "\"\"") }
    if command.contains("/") { return of(path: command, nesting: 0) }
    // Like the shell and execvp, an empty element of PATH is the working directory.
    var refused: ExecutableKind?
    for directory in (searchPath ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false) {
      let kind = of(path: (directory.isEmpty ? "." : directory) + "/" + command, nesting: 0)
      switch kind {
      case .notFound: continue
      // A later directory may have one that can be run.
      case .notExecutable: refused = refused ?? kind
      default: return kind
      }
    }
    return refused ?? .notFound(name: command)
  }

  /// The kernel follows at most five interpreters (fs/exec.c).
  private static let deepestScript = 5

  private static func of(path: String, nesting: Int) -> ExecutableKind {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let error = errno
      if error == ENOENT || error == ENOTDIR { return .notFound(name: path) }
      return .notExecutable(path: path, reason: systemErrorText(error))
    }
    if status.st_mode & S_IFMT == S_IFDIR { return .notExecutable(path: path, reason: "it is a directory") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      return .notExecutable(path: path, reason: "it is not a regular file")
    }
    guard access(path, X_OK) == 0 else {
      return .notExecutable(path: path, reason: "permission denied (chmod +x \(path) allows it)")
    }
    // What may be run need not be readable; then only its rights can be told.
    guard let head = try? ProcFile.bytes(path, atMost: 256) else {
      return gainedRights(path, status).map { .setUID(path: path, reason: $0) } ?? .dynamic(path: path)
    }
    if head.isEmpty { return .notExecutable(path: path, reason: "it is empty") }
    if head.starts(with: Array("#!".utf8)) {
      guard nesting < deepestScript else { return .notExecutable(path: path, reason: "its interpreters never end") }
      guard let interpreter = interpreter(head) else {
        return .notExecutable(path: path, reason: "its first line names no interpreter")
      }
      let kind = of(path: interpreter, nesting: nesting + 1)
      if case .notFound = kind {
        return .notExecutable(path: path, reason: "its interpreter \(interpreter) does not exist")
      }
      return .script(path: path, interpreter: kind)
    }
    guard head.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
      return .script(path: path, interpreter: of(path: "/bin/sh", nesting: nesting + 1))
    }
    return binary(path, head, status)
  }

  /// `#! interpreter [argument]`, as far as the kernel reads it.
  private static func interpreter(_ head: [UInt8]) -> String? {
    let line = head.dropFirst(2).prefix(254).prefix(while: { $0 != 0x0A && $0 != 0 })
    let word = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }).first
    return word.map { String(decoding: $0, as: UTF8.self) }
  }

  /// An ELF file by its header: class and machine first, since a file of another class cannot be read further.
  private static func binary(_ path: String, _ head: [UInt8], _ status: stat) -> ExecutableKind {
    guard head.count > 20 else { return .notExecutable(path: path, reason: "it is too short for an ELF header") }
    // EI_CLASS and e_machine; both lie in the part that all classes share.
    if head[4] == 1 { return .thirtyTwoBit(path: path) }
    let machine = UInt16(head[18]) | UInt16(head[19]) << 8
    guard head[5] == 1, machine == ELFHeader.machineAMD64 else {
      return .foreignMachine(path: path, machine: machine)
    }
    let file: ELFFile
    do throws(InspectError) {
      file = try ELFFile(path: path)
    } catch {
      return .notExecutable(path: path, reason: "\(error)")
    }
    // The loader itself takes a program as its argument and serves preloads too.
    guard let segment = file.segments.first(where: { $0.type == ELFSegment.interpreter }) else {
      let isLoader = path.split(separator: "/").last?.hasPrefix("ld-linux") ?? false
      return isLoader ? .dynamic(path: path) : .static(path: path)
    }
    if let reason = gainedRights(path, status) { return .setUID(path: path, reason: reason) }
    let loader = file.string(at: segment.offset, limit: Int(min(segment.fileSize, UInt64(PATH_MAX))))
    // Distributions put it in various directories, under this name.
    let isGlibc = loader.split(separator: "/").last?.hasPrefix("ld-linux-x86-64.so") ?? false
    return isGlibc ? .dynamic(path: path) : .foreignLoader(path: path, loader: loader)
  }

  /// How running the file would change who we are, in which case the loader is told to trust nothing from the
  /// environment (AT_SECURE, getauxval(3)).
  private static func gainedRights(_ path: String, _ status: stat) -> String? {
    if status.st_mode & S_ISUID != 0, status.st_uid != getuid() {
      return "is set-user-id (to user id \(status.st_uid))"
    }
    if status.st_mode & S_ISGID != 0, status.st_mode & S_IXGRP != 0, status.st_gid != getgid() {
      return "is set-group-id (to group id \(status.st_gid))"
    }
    if getuid() != 0, lj_has_file_capabilities(path) { return "has file capabilities" }
    return nil
  }
}
