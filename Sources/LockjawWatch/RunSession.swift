import CLockjawNative
import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel
import LockjawReport
import Synchronization

/// `lockjaw run`: starts a command under the shim, follows it and its children, reports, acts.
package final class RunSession {
  package struct Options: Sendable {
    package var command: [String]
    package var action: HangAction
    package var errorExitStatus: Int32
    package var settings: Follower.Settings
    package var recording: RecordingSettings
    package init(
      command: [String], action: HangAction, errorExitStatus: Int32, settings: Follower.Settings,
      recording: RecordingSettings = RecordingSettings()
    ) {
      self.command = command
      self.action = action
      self.errorExitStatus = errorExitStatus
      self.settings = settings
      self.recording = recording
    }
  }

  /// How `run` ends.
  package enum End: Hashable, Sendable {
    case exit(Int32)
    /// As the command did.
    case signal(Int32)
  }

  private struct Followed {
    let follower: Follower
    let thread: BackgroundThread
    let imageNumber: Int
    let pidfd: PidDescriptor?
    let arenaPath: String
  }

  fileprivate private(set) var options: Options
  private let desk: ReportDesk
  private let shimPath: String
  private let directory: ArenaDirectory
  private let session: String
  private let hasEndedProcess = HangFlag()
  private let told = ToldCycles()
  private var followed: [ProcessIdentity: Followed] = [:]
  fileprivate var commandPID: pid_t = 0
  private let ownStartTicks = LiveProcess.ownStartTicks
  /// The user wants arenas to outlive also what ends well.
  private let keepsArenas: Bool

  /// - Throws: what makes `run` impossible before anything has been started.
  package init(options: Options, desk: ReportDesk) throws(WatchError) {
    self.options = options
    keepsArenas = environmentValue("LOCKJAW_KEEP") == "1"
    self.options.settings.removesArena = options.recording.counts && !keepsArenas
    self.desk = desk
    shimPath = try Shim.locate()
    // The command, or a child of it, may change its directory.
    directory = ArenaDirectory(path: Shim.fromHere(ArenaDirectory.standard().path))
    try ArenaWatch.prepare(directory)
    session = "\(getpid())-\(Instant.now.nanoseconds)"
  }

  /// Runs the command to its end.
  package func run() throws(WatchError) -> End {
    let relay = try SignalRelay(hasCommand: true)
    let watch = try ArenaWatch(directory)
    let kind = ExecutableKind.of(command: options.command[0], searchPath: environmentValue("PATH"))
    if let warning = kind.warning, kind.exitStatus == nil { desk.say("lockjaw: \(warning)") }

    commandPID = try CommandLaunch(
      command: options.command, additions: environment(), signalMask: relay.originalMask
    ).start()

    var patrol = Patrol(command: commandPID, stall: options.settings.stall)
    while true {
      let ended = wait(relay, watch, atMost: millisecondsUntilNextLook ?? patrol.millisecondsToGo())
      if patrol.isDue { told.forgetOver() }
      for discovery in patrol.discoveries() { Self.publish(discovery, outlet) }
      for entry in watch.newArenas() { follow(entry) }
      for identity in ended { finish(identity, condition: "gone") }
      if let exit = commandExit() {
        // What was counted is there also of processes that were too short to be seen.
        if options.settings.removesArena { for entry in watch.newArenas() { follow(entry) } }
        return close(exit)
      }
    }
  }

  /// Waits for a signal, a new arena, or the end of a followed process; returns which of those have ended.
  private func wait(_ relay: SignalRelay, _ watch: ArenaWatch, atMost milliseconds: Int32) -> [ProcessIdentity] {
    var descriptors = [
      pollfd(fd: relay.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    // The command's own end comes by SIGCHLD, with its status.
    let others = followed.filter { $0.key.pid != commandPID }.compactMap { pair in
      pair.value.pidfd.map { (pair.key, $0.descriptor) }
    }
    descriptors += others.map { pollfd(fd: $0.1, events: Int16(POLLIN), revents: 0) }
    while poll(&descriptors, nfds_t(descriptors.count), milliseconds) < 0, errno == EINTR {}
    if descriptors[0].revents != 0 { relay.relay(to: CommandChild(pid: commandPID)) }
    return zip(others, descriptors.dropFirst(2)).filter { $0.1.revents != 0 }.map(\.0.0)
  }

  /// A command that ends while a snapshot of it is taken becomes ours to wait for when that is over, and no signal says so.
  private var millisecondsUntilNextLook: Int32? {
    do throws(InspectError) {
      _ = try LiveProcess(pid: commandPID)
      return nil
    } catch {
      return Self.restMilliseconds(after: error)
    }
  }

  /// How long to sleep where the command cannot be looked at.
  static func restMilliseconds(after error: InspectError) -> Int32 {
    // The snapshot that keeps it is over in milliseconds.
    if case .zombie = error { return 10 }
    // It lives, and hides (`hidepid`): its end comes by a signal; this is in case it does not.
    return 500
  }

  /// How the command has ended, if it has. With a command that stops, lockjaw stops, and comes back from here later.
  private func commandExit() -> ChildExit? {
    let child = CommandChild(pid: commandPID)
    while let change = child.nextChange() {
      switch change {
      case .ended(let exit): return exit
      case .stopped(let signal): child.stopWithIt(by: signal)
      }
    }
    return nil
  }

  private func environment() -> [(String, String)] {
    // Another preload of the user's stays, behind the shim.
    let preload = environmentValue("LD_PRELOAD").map { "\(shimPath):\($0)" } ?? shimPath
    return [
      ("LD_PRELOAD", preload), ("LOCKJAW_DIR", directory.path), ("LOCKJAW_SESSION", session),
      ("LOCKJAW_EXE", Shim.executablePath()),
    ] + options.recording.environment + (options.settings.removesArena ? [("LOCKJAW_KEEP", "1")] : [])
  }

  // MARK: - Following

  private func follow(_ entry: ArenaDirectory.Entry) {
    let arena: ArenaReader
    do {
      arena = try ArenaReader(path: entry.path, forCollecting: true)
    } catch let error {
      // Gone already: a process too short to watch. Anything else is worth a line.
      if case .cannotOpen(_, ENOENT) = error { return }
      return desk.say("lockjaw: \(error)")
    }
    guard arena.header.session == session else { return }
    if case .disabled(let reason) = arena.imageState {
      desk.say("lockjaw: process \(entry.identity.pid) is not covered: \(Printable.escaped(reason))")
      return
    }
    // Its number here, which is not the file's where it lives in a pid namespace of its own.
    let identity: ProcessIdentity
    var writer: LiveProcess?
    switch ArenaSearch.writer(of: entry) {
    case .process(let process): (identity, writer) = (process.identity, process)
    // What it left is looked at once; no process of that number is taken for it.
    case .gone: identity = entry.identity
    case .hidden(let pid, let reason):
      return desk.say("lockjaw: process \(pid) is not covered: it lives in another pid namespace, and \(reason)")
    }
    guard Self.mayTell(arena, of: entry.identity, writtenBy: writer) else { return }
    _ = arena.claim(pid: getpid(), startTicks: ownStartTicks, isAlive: ArenaSearch.isAlive)
    // exec: the same process, a new image with an arena of its own.
    if let older = followed[identity] {
      // Images are counted within a directory: one that changed its user begins anew in that user's.
      let isElsewhere = ArenaDirectory.containing(older.arenaPath) != ArenaDirectory.containing(entry.path)
      guard isElsewhere || older.imageNumber < entry.imageNumber else { return }
      finish(identity, condition: "replaced by exec")
    }
    let pidfd = PidDescriptor(identity)
    let follower: Follower
    do { follower = try makeFollower(entry, identity) } catch {
      // It has ended since, and its file went with it.
      if case .cannotOpen(_, ENOENT) = error { return }
      return desk.say("lockjaw: \(error)")
    }
    // A reader belongs to one thread: the follower's.
    nonisolated(unsafe) let reader = arena
    guard let thread = BackgroundThread(named: "lj-\(identity.pid)", { follower.run(reader) }) else {
      return desk.say("lockjaw: no thread to follow process \(identity.pid) with")
    }
    followed[identity] = Followed(
      follower: follower, thread: thread, imageNumber: entry.imageNumber, pidfd: pidfd, arenaPath: entry.path)
  }

  /// Whether an arena can be that of the process it names. What it says may end that process, and in another user's
  /// directory that user may have written anything: only of processes of their own.
  /// - Parameters:
  ///   - identity: as the file's name has it.
  ///   - process: `nil` where it is gone; then there is none to end.
  static func mayTell(
    _ arena: ArenaReader, of identity: ProcessIdentity, writtenBy process: LiveProcess?
  ) -> Bool {
    guard arena.header.identity == identity else { return false }
    if arena.fileUserID == geteuid() { return true }
    guard let user = process?.userID else { return true }
    return user == arena.fileUserID
  }

  private func makeFollower(
    _ entry: ArenaDirectory.Entry, _ identity: ProcessIdentity
  ) throws(ArenaError) -> Follower {
    let outlet = outlet
    return try Follower(arenaPath: entry.path, identity: identity, settings: options.settings) { discovery in
      Self.publish(discovery, outlet)
    }
  }

  // MARK: - Publishing

  /// What it takes to show a discovery and to act on it, on any thread.
  fileprivate struct Outlet: Sendable {
    let desk: ReportDesk
    let action: HangAction
    let command: pid_t
    let hasEndedProcess: HangFlag
    let told: ToldCycles
  }

  private var outlet: Outlet {
    Outlet(
      desk: desk, action: options.action, command: commandPID, hasEndedProcess: hasEndedProcess, told: told)
  }

  private static func publish(_ discovery: Discovery, _ outlet: Outlet) {
    // A cycle of two processes is found from both.
    guard outlet.told.isNews(discovery) else { return }
    let path = outlet.desk.show(discovery)
    guard case .finding = discovery.occasion, discovery.isActionable else { return }
    var concerned = [(process: discovery.process, pidfd: PidDescriptor(discovery.process))]
    if outlet.action.ends {
      // Held first and asked after that: who is held cannot become another one meanwhile.
      let others = discovery.report.processes.compactMap { other in
        (try? LiveProcess(pid: other.pid)).map { (process: $0.identity, pidfd: PidDescriptor($0.identity)) }
      }
      // Only what this session has started is this session's to end.
      let started =
        others.isEmpty ? [] : Set(ProcessTable().descendants(of: outlet.command, limit: 4096) + [outlet.command])
      concerned += others.filter { started.contains($0.process.pid) }
    }
    for (process, pidfd) in concerned {
      let verdict = discovery.report.verdict
      if let said = outlet.action.act(on: process, pidfd: pidfd, verdict: verdict, reportPath: path) {
        // It speaks only of a process that it has reached: one that ended by itself was not ended by us.
        if outlet.action.ends { outlet.hasEndedProcess.raise() }
        outlet.desk.say(said)
      }
    }
  }

  private func finish(_ identity: ProcessIdentity, condition: String) {
    guard let one = followed.removeValue(forKey: identity) else { return }
    one.follower.processEnded(condition)
    one.thread.join()
  }

  /// The command has ended: everything else of the session is let go.
  private func close(_ exit: ChildExit) -> End {
    // The command last: where nothing was found, the last report is the one that stays.
    for identity in followed.keys.filter({ $0.pid != commandPID }) + followed.keys.filter({ $0.pid == commandPID }) {
      let one = followed[identity]
      finish(identity, condition: identity.pid == commandPID ? exit.sentence : "running on by itself")
      // Its own exit removes an arena; _exit and exec into an uncovered program do not. Death by a signal keeps it.
      if identity.pid == commandPID, case .status = exit, let one, !keepsArenas { unlink(one.arenaPath) }
    }
    desk.close(unseen: unseen(exit))
    if hasEndedProcess.isRaised { return .exit(options.errorExitStatus) }
    switch exit {
    case .status(let code): return .exit(code)
    case .signal(let number): return .signal(number)
    }
  }
}

extension RunSession {
  /// What can be said of a command whose arena was never seen.
  private func unseen(_ exit: ChildExit) -> Report {
    Report(
      verdict: .healthy, signature: "",
      process: ProcessReport(
        pid: commandPID, command: options.command.joined(separator: " "), executable: "", condition: exit.sentence),
      findings: [], locks: [], threads: [],
      diagnostics: [
        "No arena of process \(commandPID) was seen: it ended before it could be read, or it ran without the shim."
      ], source: "none")
  }
}

/// Set once by any thread.
final class HangFlag: Sendable {
  private let value = Atomic<Bool>(false)
  func raise() { value.store(true, ordering: .releasing) }
  var isRaised: Bool { value.load(ordering: .acquiring) }
}
