import LockjawModel

extension LiveProcess {
  /// For how long the thread has not run, until now; `nil` where the kernel does not say.
  package func sleptNanoseconds(_ thread: ThreadID) -> UInt64? { SleepClock()?.slept(self, thread) }

  /// When a thread of any process began, in the kernel's ticks since boot; `nil` where there is none of that number.
  package static func startTicks(of thread: ThreadID) -> UInt64? {
    (try? TaskStat(path: "/proc/\(thread)/stat"))?.startTicks
  }

  /// Its thread ids are not ours: it lives in another pid namespace.
  package var isInOtherPidNamespace: Bool { PidNamespace(self).isForeign }

  /// Whether the kernel lets this user see what its threads do; a sentence that names the missing right where not.
  package var refusal: String? {
    guard case .unknown(let reason) = kernelState(of: ThreadID(firstLiveTask ?? pid)) else { return nil }
    return reason
  }

  /// Which of these signals it has handlers for.
  package func handledSignals(among numbers: Set<Int>) -> Set<Int> {
    guard let status = try? ProcFile.text("\(directory)/status"),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigCgt:") }),
      let mask = line.split(separator: "\t").last.flatMap({ UInt64($0, radix: 16) })
    else { return [] }
    return numbers.filter { (1...64).contains($0) && mask & 1 << UInt64($0 - 1) != 0 }
  }

  /// Name and arguments, for people: "4711 (sleep 60)".
  package var nameInFull: String { outline.nameInFull }
}

extension ProcessOutline {
  /// "4711 (sleep 60)"; the number alone where nothing else is known.
  package var nameInFull: String {
    let name = command.isEmpty ? name : command
    return name.isEmpty ? "\(identity.pid)" : "\(identity.pid) (\(name.count > 80 ? name.prefix(79) + "…" : name[...]))"
  }
}
