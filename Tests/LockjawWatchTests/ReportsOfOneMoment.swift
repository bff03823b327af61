import LockjawModel

extension Report {
  /// Without what may differ between two reports of one moment: where it was read, what became of the process, and how long
  /// the work took.
  var comparable: Report {
    var report = self
    report.source = ""
    report.process.condition = ""
    report.timing = [:]
    return report
  }

  /// Also without what other tools keep no record of in a core: names, how long threads slept, what descriptors are.
  var withoutWhatCoresLack: Report {
    var report = comparable
    report.process.command = ""
    report.process.started = ""
    report.diagnostics = []
    report.threads = report.threads.sorted { $0.tid < $1.tid }
    for index in report.threads.indices {
      report.threads[index].name = ""
      if report.threads[index].state.contains("asleep in read") { report.threads[index].state = "asleep in read" }
    }
    for index in report.findings.indices {
      report.findings[index].summary = ""
      report.findings[index].evidence = []
      for edge in report.findings[index].edges.indices { report.findings[index].edges[edge].waitingForSeconds = 0 }
    }
    return report
  }

  /// Also without the ages of waits, which are counted from the moment of each look.
  var withoutAges: Report {
    var report = comparable
    for index in report.findings.indices {
      for edge in report.findings[index].edges.indices { report.findings[index].edges[edge].waitingForSeconds = 0 }
    }
    for index in report.history.indices {
      report.history[index].beganSecondsAgo = 0
      if report.history[index].outcome == .inProgress { report.history[index].durationSeconds = 0 }
    }
    return report
  }
}
