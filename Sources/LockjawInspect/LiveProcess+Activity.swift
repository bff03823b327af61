import LockjawModel

extension LiveProcess {
  /// What the kernel says this thread does right now: the third witness.
  package func kernelState(of thread: ThreadID) -> KernelState {
    switch read(thread) {
    case .activity(let activity): activity.kernelState
    case .gone: .gone
    case .refused(let reason): .unknown(reason: reason)
    }
  }

  /// The futex wait this thread sleeps in, with the arguments that tell whose it is; `nil` where it does not sleep in
  /// one, or the kernel does not say.
  package func futexWait(of thread: ThreadID) -> FutexWait? {
    guard case .activity(let activity) = read(thread) else { return nil }
    return activity.futexWait
  }

  /// Where in the kernel the thread is, with its call's arguments; `nil` where it is gone or nobody says.
  func threadActivity(of thread: ThreadID) -> ThreadActivity? {
    guard case .activity(let activity) = read(thread) else { return nil }
    return activity
  }

  /// The same for people: "asleep in read on pipe:[4711] (fd 0)", "waits for child 123 (wait4)", "runs".
  package func activity(of thread: ThreadID) -> String {
    guard let live = self.thread(thread) else { return "has ended" }
    if live.hasEnded { return "has ended" }
    switch read(thread) {
    case .activity(let activity):
      return ActivityDescription(descriptorTarget: { try? ProcFile.link("\(liveDirectory)/fd/\($0)") })
        .sentence(activity, taskState: live.state)
    case .gone: return "has ended"
    case .refused:
      if let stop = ActivityDescription.stop(live.state) { return stop }
      switch live.state {
      case "R": return "runs"
      case "D": return "in an uninterruptible sleep; the kernel does not say where"
      default: return "asleep; the kernel does not say where"
      }
    }
  }

  /// What the kernel's file says, or why it says nothing.
  private enum Answer {
    case activity(ThreadActivity)
    case gone
    case refused(String)
  }

  private func read(_ thread: ThreadID) -> Answer {
    let task = "\(directory)/task/\(thread)"
    let content: [UInt8]
    do throws(Errno) {
      content = try ProcFile.bytes("\(task)/syscall", atMost: 4096)
    } catch {
      if AccessRights.isRefusal(error) { return .refused(AccessRights.remedy(pid: pid)) }
      // No file: no thread, or no such feature.
      guard self.thread(thread) != nil else { return .gone }
      return .refused("this kernel or sandbox has no \(task)/syscall (it needs CONFIG_HAVE_ARCH_TRACEHOOK)")
    }
    // A thread that is past its end still has its file, with nothing in it that could be trusted.
    guard let state = self.thread(thread), !state.hasEnded else { return .gone }
    guard var activity = ThreadActivity(content) else {
      return .refused("\(task)/syscall holds something lockjaw does not understand")
    }
    if case .systemCall(ThreadActivity.restart, let arguments) = activity.place {
      activity.place = restarted(task, arguments) ?? activity.place
    }
    return .activity(activity.asFutexCall(ProcessMemory(self)))
  }

  /// A call with a time limit goes on as restart_syscall after a stop; only the place in the kernel still tells which it
  /// is. The arguments are those of the first call.
  private func restarted(_ task: String, _ arguments: [UInt64]) -> ThreadActivity.Place? {
    guard let place = try? ProcFile.text("\(task)/wchan") else { return nil }
    if place.hasPrefix("futex_") {
      return .systemCall(number: ThreadActivity.futex, arguments: [arguments[0], 0] + arguments[2...])
    }
    if place.contains("nanosleep") { return .systemCall(number: ThreadActivity.sleep, arguments: arguments) }
    return place.contains("poll") ? .systemCall(number: ThreadActivity.poll, arguments: arguments) : nil
  }
}
