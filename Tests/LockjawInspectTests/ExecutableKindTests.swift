import Glibc
import LockjawInspect
import LockjawTestPrograms
import Testing

@Suite("What is about to be run")
struct ExecutableKindTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.path }
  init() throws { directory = try TemporaryDirectory() }

  private func file(_ name: String, _ text: String, mode: mode_t = 0o755) throws -> String {
    let path = "\(directory.path)/\(name)"
    try Program.write(text, to: path)
    chmod(path, mode)
    return path
  }

  private func program(_ name: String, flags: [String] = []) throws -> Program {
    try Program(.c, name: name, flags: flags, source: "int main(void) { return 0; }")
  }

  private func of(_ command: String, path: String? = nil) -> ExecutableKind {
    ExecutableKind.of(command: command, searchPath: path)
  }

  @Test("A dynamically linked program is covered and raises no warning")
  func dynamic() throws {
    let program = try program("plain")
    let kind = of(program.path)
    #expect(kind == .dynamic(path: program.path))
    #expect(kind.isCovered && kind.warning == nil && kind.exitStatus == nil)
  }

  @Test("A static program is not covered, with or without a fixed address", arguments: ["-static", "-static-pie"])
  func staticProgram(flag: String) throws {
    let program = try program("fixed", flags: [flag])
    let kind = of(program.path)
    #expect(kind == .static(path: program.path))
    #expect(!kind.isCovered && kind.exitStatus == nil)
    #expect(kind.warning?.contains("statically linked") == true)
  }

  @Test("A program that changes its user is not covered, unless the user is ours already")
  func setUserID() throws {
    try #require(geteuid() == 0, "changing the owner needs root")
    let program = try program("privileged")
    chmod(program.path, 0o4755)
    #expect(of(program.path) == .dynamic(path: program.path))
    chown(program.path, 65534, 0)
    chmod(program.path, 0o4755)
    let kind = of(program.path)
    #expect(kind == .setUID(path: program.path, reason: "is set-user-id (to user id 65534)"))
    #expect(!kind.isCovered && kind.exitStatus == nil)
    #expect(kind.warning?.contains("ignores preloaded libraries") == true)
  }

  @Test("32-bit programs, other machines and other loaders are told apart by their headers")
  func headers() throws {
    let program = try program("header")
    func patched(_ name: String, _ offset: Int, _ bytes: [UInt8]) throws -> String {
      let copy = try Program(copying: program, name: name)
      let file = try #require(fopen(copy.path, "r+"))
      fseek(file, offset, SEEK_SET)
      fwrite(bytes, 1, bytes.count, file)
      fclose(file)
      return copy.path
    }
    let narrow = try patched("narrow", 4, [1])
    #expect(of(narrow) == .thirtyTwoBit(path: narrow))
    #expect(of(narrow).warning?.contains("32-bit") == true)
    let foreign = try patched("foreign", 18, [183, 0])
    #expect(of(foreign) == .foreignMachine(path: foreign, machine: 183))
    let other = try self.program("musl", flags: ["-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"])
    #expect(of(other.path) == .foreignLoader(path: other.path, loader: "/lib/ld-musl-x86_64.so.1"))
    #expect(of(other.path).warning?.contains("ld-musl") == true)
    let damaged = try patched("damaged", 40, [255, 255, 255, 255, 255, 255, 255, 127])
    guard case .notExecutable(damaged, _) = of(damaged) else {
      Issue.record("\(of(damaged))")
      return
    }
  }

  @Test("A script is what its interpreter is")
  func scripts() throws {
    let script = try file("script", "#! /bin/sh -e\nexit 0\n")
    guard case .script(script, .dynamic) = of(script) else {
      Issue.record("\(of(script))")
      return
    }
    #expect(of(script).isCovered && of(script).warning == nil)
    let nested = try file("nested", "#!\(script)\n")
    guard case .script(nested, .script(script, .dynamic)) = of(nested) else {
      Issue.record("\(of(nested))")
      return
    }
    // execvp gives it to the shell.
    let bare = try file("bare", "exit 0\n")
    guard case .script(bare, _) = of(bare) else {
      Issue.record("\(of(bare))")
      return
    }
    let fixed = try program("fixed", flags: ["-static"])
    let through = try file("through", "#!\(fixed.path)\n")
    #expect(of(through) == .script(path: through, interpreter: .static(path: fixed.path)))
    #expect(!of(through).isCovered && of(through).warning?.contains("statically linked") == true)
  }

  @Test("What cannot be run says why, and has env's exit status")
  func refused() throws {
    let plain = try file("plain", "#!/bin/sh\n", mode: 0o644)
    #expect(of(plain).exitStatus == 126)
    #expect(of(plain).warning?.contains("permission denied") == true)
    #expect(of(path).exitStatus == 126)
    #expect(of(path).warning?.contains("it is a directory") == true)
    let orphan = try file("orphan", "#!/no/such/interpreter\n")
    #expect(of(orphan).exitStatus == 126)
    #expect(of(orphan).warning?.contains("/no/such/interpreter does not exist") == true)
    let own = try file("own", "")
    try Program.write("#!\(own)\n", to: own)
    guard case .script = of(own) else {
      Issue.record("\(of(own))")
      return
    }
    #expect(of(own).exitStatus == 126)
    #expect(of(try file("empty", "")).exitStatus == 126)
    #expect(of("/no/such/program") == .notFound(name: "/no/such/program"))
    #expect(of("/no/such/program").exitStatus == 127)
    #expect(of("").exitStatus == 127)
    #expect(of("/dev/null").exitStatus == 126)
  }

  @Test("Names are searched for along PATH as execvp does")
  func search() throws {
    let tool = try file("tool", "#!/bin/sh\n")
    _ = try file("locked", "#!/bin/sh\n", mode: 0o644)
    guard case .script(tool, _) = of("tool", path: "/no/such/directory:\(path):/bin") else {
      Issue.record("not found")
      return
    }
    #expect(of("tool", path: "/bin").exitStatus == 127)
    #expect(of("tool", path: "/bin").warning?.contains("PATH") == true)
    #expect(of("locked", path: "\(path):/bin").exitStatus == 126)
    #expect(of("sh").isCovered)
  }
}
