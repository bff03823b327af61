import LockjawModel

/// The JSON form of a report, schema `lockjaw.report/1`.
///
/// The contract: fields are only ever added; one that is marked optional is absent when its value is not known.
/// Thread ids are numbers, addresses and offsets `"0x…"` strings, seconds and milliseconds numbers (null where the
/// number is none). In the order in which they are written; + marks what was added to the contract's first form:
///
///     schema, verdict, signature, +source
///     process   pid, command, +executable, build_id?, started?, +condition
///     +processes?  the same of other processes that findings lead to; `process` in a lock or thread is one of their pids
///     findings  kind, certainty, summary, edges, bystanders: [tid], +evidence: [sentence], +heartbeat?
///       heartbeat  name, thread: tid, within_seconds, last_seconds_ago, beats: of a missed-heartbeat
///       edges   waiter: tid, lock: id, mode, holders: [tid], +waiting_writers?: those of them that do not have the lock but
///               are let in before a reader, holder_evidence, +held_mode?,
///               waits_at: FRAME or null, held_since_at?, held_in?, released_at?: FRAME, +guard_type?, +guard?: name, file?, line?,
///               waiting_for_seconds
///     locks     id, address, type, library, name?, state, initialised_at?: FRAME, +process?: pid
///     threads   tid, name, state, stack: [FRAME], holds: [id], waits_for: id or null, +breadcrumb?, +process?: pid,
///               +operations?: the newest at level `all`, newest first; +operations_older?: how many more the ring has,
///               +operations_lost?: how many of the slot's threads were overwritten or not written
///       operations  operation, lock: address, type, mode, site?: FRAME, seconds_ago or null, contended, outcome?
///     +history  thread, thread_name, lock: address, type, mode, site?: FRAME, began_seconds_ago, duration_seconds,
///               outcome; newest first
///     +profile? level, locks, signals, notes: [sentence]; at levels `sites` and `all` (ReportDocument+Profile.swift)
///     +modules? module, path, build_id?, addresses, with_line, function_only, unnamed, shortage?: how far the symbols of
///               each module went, over the distinct addresses of this report
///     diagnostics: [sentence], losses: {cause: count}, timing: {step: milliseconds}
///     FRAME     function or null, file?, line?, module, offset, inlined, +plumbing, +beyond_tables?: true where an inner function of
///               the stack has no unwind tables, and was run to its return on a copy to find its caller
///
/// `waits_at` and `function` are null rather than absent: the contract lists them as always there.
package enum ReportDocument {
  /// Pretty-printed UTF-8 with a stable key order and a line feed at its end.
  package static func encode(_ report: Report) -> String {
    String(decoding: encodeBytes(report), as: UTF8.self)
  }

  /// The same as bytes, for a file.
  package static func encodeBytes(_ report: Report) -> [UInt8] {
    let index = ReportIndex(report)
    var writer = JSONWriter()
    writer.object { object in
      object.put(DocumentField.schema, Report.schema)
      object.put(DocumentField.verdict, report.verdict.rawValue)
      object.put(DocumentField.signature, report.signature)
      object.put(DocumentField.source, report.source)
      object.put(DocumentField.process) { $0.process(report.process) }
      if !report.processes.isEmpty {
        object.put(DocumentField.processes) { $0.array(report.processes) { $0.process($1) } }
      }
      object.put(DocumentField.findings) { $0.array(report.findings) { $0.finding($1, index) } }
      object.put(DocumentField.locks) { $0.array(report.locks) { $0.lock($1) } }
      object.put(DocumentField.threads) { $0.array(report.threads) { $0.thread($1) } }
      object.put(DocumentField.history) { $0.array(report.history) { $0.historyEntry($1) } }
      if let profile = report.profile { object.put(DocumentField.profile) { $0.profile(profile) } }
      if !report.modules.isEmpty {
        object.put(DocumentField.modules) { $0.array(report.modules) { $0.module($1) } }
      }
      object.put(DocumentField.diagnostics) { $0.array(report.diagnostics) { $0.string($1) } }
      object.put(DocumentField.losses) { writer in
        writer.object { object in
          // Dictionaries have no order of their own; the same report must give the same bytes.
          for (cause, count) in report.losses.sorted(by: { $0.key < $1.key }) {
            object.key(cause)
            object.number(count)
          }
        }
      }
      object.put(DocumentField.timing) { writer in
        writer.object { object in
          for (step, milliseconds) in report.timing.sorted(by: { $0.key < $1.key }) {
            object.key(step)
            object.number(milliseconds)
          }
        }
      }
    }
    return writer.bytes + [UInt8(ascii: "\n")]
  }
}

extension JSONWriter {
  fileprivate mutating func process(_ process: ProcessReport) {
    object { object in
      object.put(ProcessField.pid, process.pid)
      object.put(ProcessField.command, process.command)
      object.put(ProcessField.executable, process.executable)
      object.putIfKnown(ProcessField.buildID, process.buildID.isEmpty ? nil : process.buildID)
      object.putIfKnown(ProcessField.started, process.started.isEmpty ? nil : process.started)
      object.put(ProcessField.condition, process.condition)
    }
  }

  fileprivate mutating func finding(_ finding: Finding, _ index: ReportIndex) {
    object { object in
      object.put(FindingField.kind, finding.kind.rawValue)
      object.put(FindingField.certainty, finding.certainty.rawValue)
      object.put(FindingField.summary, finding.summary)
      let writers = WaitingWriters(finding, index)
      object.put(FindingField.edges) { $0.array(finding.edges) { $0.edge($1, writers) } }
      object.put(FindingField.bystanders) { $0.array(finding.bystanders, inline: true) { $0.number($1.rawValue) } }
      object.put(FindingField.evidence) { $0.array(finding.evidence) { $0.string($1) } }
      if let heartbeat = finding.heartbeat { object.put(FindingField.heartbeat) { $0.heartbeat(heartbeat) } }
    }
  }

  fileprivate mutating func heartbeat(_ heartbeat: MissedHeartbeat) {
    object { object in
      object.put(HeartbeatField.name, heartbeat.name)
      object.put(HeartbeatField.thread, heartbeat.thread.rawValue)
      object.put(HeartbeatField.withinSeconds, heartbeat.withinSeconds)
      object.put(HeartbeatField.lastSecondsAgo, heartbeat.lastSecondsAgo)
      object.put(HeartbeatField.beats, heartbeat.count)
    }
  }

  fileprivate mutating func edge(_ edge: Edge, _ waitingWriters: WaitingWriters) {
    object { object in
      object.put(EdgeField.waiter, edge.waiter.rawValue)
      object.put(EdgeField.lock, edge.lock)
      object.put(EdgeField.mode, edge.mode.rawValue)
      object.put(EdgeField.holders) { $0.array(edge.holders, inline: true) { $0.number($1.rawValue) } }
      let writers = edge.holders.filter { waitingWriters.contains($0, of: edge) }
      if !writers.isEmpty {
        object.put(EdgeField.waitingWriters) { $0.array(writers, inline: true) { $0.number($1.rawValue) } }
      }
      object.put(EdgeField.holderEvidence, edge.evidence.rawValue)
      object.putIfKnown(EdgeField.heldMode, edge.heldMode?.rawValue)
      // The one frame of an edge that the contract does not call optional: null where no frame is known.
      object.put(EdgeField.waitsAt) { writer in
        if let frame = edge.waitsAt { writer.frame(frame) } else { writer.null() }
      }
      object.putIfKnown(EdgeField.heldSinceAt, edge.heldSinceAt)
      object.putIfKnown(EdgeField.heldIn, edge.heldIn)
      object.putIfKnown(EdgeField.releasedAt, edge.releasedAt)
      object.putIfKnown(EdgeField.guardType, edge.guardType)
      if let variable = edge.guardVariable { object.put(EdgeField.guardVariable) { $0.guardVariable(variable) } }
      object.put(EdgeField.waitingForSeconds, edge.waitingForSeconds)
    }
  }

  fileprivate mutating func guardVariable(_ variable: GuardVariable) {
    object { object in
      object.put(GuardField.name, variable.name)
      object.putIfKnown(GuardField.file, variable.file)
      if let line = variable.line { object.put(GuardField.line, line) }
    }
  }

  fileprivate mutating func lock(_ lock: LockReport) {
    object { object in
      object.put(LockField.id, lock.id)
      object.put(LockField.address, lock.address.description)
      object.put(LockField.type, lock.type.rawValue)
      object.put(LockField.library, lock.library)
      object.putIfKnown(LockField.name, lock.name)
      object.put(LockField.state, lock.state)
      object.putIfKnown(LockField.initialisedAt, lock.initialisedAt)
      if let process = lock.process { object.put(LockField.process, process) }
    }
  }

  fileprivate mutating func thread(_ thread: ThreadReport) {
    object { object in
      object.put(ThreadField.tid, thread.tid.rawValue)
      object.put(ThreadField.name, thread.name)
      object.put(ThreadField.state, thread.state)
      object.put(ThreadField.stack) { $0.array(thread.stack) { $0.frame($1) } }
      object.put(ThreadField.holds) { $0.array(thread.holds, inline: true) { $0.string($1) } }
      object.put(ThreadField.waitsFor) { writer in
        if let lock = thread.waitsFor { writer.string(lock) } else { writer.null() }
      }
      object.putIfKnown(ThreadField.breadcrumb, thread.breadcrumb)
      if let process = thread.process { object.put(ThreadField.process, process) }
      if let record = thread.flightRecord {
        object.put(ThreadField.operations) { $0.array(record.operations) { $0.operation($1) } }
        object.put(ThreadField.operationsOlder, record.olderInRing)
        object.put(ThreadField.operationsLost, record.lost)
      }
    }
  }

  fileprivate mutating func operation(_ entry: OperationEntry) {
    object { object in
      object.put(OperationField.operation, entry.kind.word)
      object.put(OperationField.lock, entry.lock.description)
      object.put(OperationField.type, entry.type.rawValue)
      object.put(OperationField.mode, entry.mode.rawValue)
      object.putIfKnown(OperationField.site, entry.site)
      object.put(OperationField.secondsAgo, entry.secondsAgo)
      object.put(OperationField.contended, entry.isContended)
      object.putIfKnown(OperationField.outcome, entry.outcome?.rawValue)
    }
  }

  fileprivate mutating func historyEntry(_ entry: HistoryEntry) {
    object { object in
      object.put(HistoryField.thread, entry.thread.rawValue)
      object.put(HistoryField.threadName, entry.threadName)
      object.put(HistoryField.lock, entry.lock.description)
      object.put(HistoryField.type, entry.type.rawValue)
      object.put(HistoryField.mode, entry.mode.rawValue)
      object.putIfKnown(HistoryField.site, entry.site)
      object.put(HistoryField.beganSecondsAgo, entry.beganSecondsAgo)
      object.put(HistoryField.durationSeconds, entry.durationSeconds)
      object.put(HistoryField.outcome, entry.outcome.rawValue)
    }
  }

  fileprivate mutating func module(_ module: ModuleCoverage) {
    object(inline: true) { object in
      object.put(ModuleField.module, module.module)
      object.put(ModuleField.path, module.path)
      object.putIfKnown(ModuleField.buildID, module.buildID.isEmpty ? nil : module.buildID)
      object.put(ModuleField.addresses, module.addresses)
      object.put(ModuleField.withLine, module.withLine)
      object.put(ModuleField.functionOnly, module.functionOnly)
      object.put(ModuleField.unnamed, module.unnamed)
      object.putIfKnown(ModuleField.shortage, module.shortage?.rawValue)
    }
  }

  mutating func frame(_ frame: Frame) {
    object(inline: true) { object in
      object.put(FrameField.function) { writer in
        if let function = frame.function { writer.string(function) } else { writer.null() }
      }
      object.putIfKnown(FrameField.file, frame.file)
      if let line = frame.line { object.put(FrameField.line, line) }
      object.put(FrameField.module, frame.module)
      object.put(FrameField.offset, "0x" + String(frame.offset, radix: 16))
      object.put(FrameField.inlined, frame.isInlined)
      object.put(FrameField.plumbing, frame.isPlumbing)
      if frame.isBeyondTables { object.put(FrameField.beyondTables, true) }
    }
  }

  mutating func putIfKnown(_ key: some RawRepresentable<String>, _ frame: Frame?) {
    if let frame { put(key) { $0.frame(frame) } }
  }
}
