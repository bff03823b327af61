/// The names of the schema's fields: the writer and the reader take them from here, so that they cannot differ.

enum DocumentField: String, CodingKey {
  case schema, verdict, signature, source, process, processes, findings, locks, threads, history, profile, modules,
    diagnostics,
    losses, timing
}

enum ProcessField: String, CodingKey {
  case pid, command, executable, started, condition
  case buildID = "build_id"
}

enum FindingField: String, CodingKey {
  case kind, certainty, summary, edges, bystanders, evidence, heartbeat
}

enum HeartbeatField: String, CodingKey {
  case name, thread, beats
  case withinSeconds = "within_seconds"
  case lastSecondsAgo = "last_seconds_ago"
}

enum EdgeField: String, CodingKey {
  case waiter, lock, mode, holders
  case waitingWriters = "waiting_writers"
  case holderEvidence = "holder_evidence"
  case heldMode = "held_mode"
  case waitsAt = "waits_at"
  case heldSinceAt = "held_since_at"
  case heldIn = "held_in"
  case releasedAt = "released_at"
  case guardType = "guard_type"
  case guardVariable = "guard"
  case waitingForSeconds = "waiting_for_seconds"
}

enum GuardField: String, CodingKey {
  case name, file, line
}

enum LockField: String, CodingKey {
  case id, address, type, library, name, state, process
  case initialisedAt = "initialised_at"
}

enum ThreadField: String, CodingKey {
  case tid, name, state, stack, holds, process, breadcrumb, operations
  case operationsOlder = "operations_older"
  case operationsLost = "operations_lost"
  case waitsFor = "waits_for"
}

enum OperationField: String, CodingKey {
  case operation, lock, type, mode, site, contended, outcome
  case secondsAgo = "seconds_ago"
}

enum HistoryField: String, CodingKey {
  case thread, lock, type, mode, site, outcome
  case threadName = "thread_name"
  case beganSecondsAgo = "began_seconds_ago"
  case durationSeconds = "duration_seconds"
}

enum ModuleField: String, CodingKey {
  case module, path, addresses, unnamed, shortage
  case buildID = "build_id"
  case withLine = "with_line"
  case functionOnly = "function_only"
}

enum FrameField: String, CodingKey {
  case function, file, line, module, offset, inlined, plumbing
  case beyondTables = "beyond_tables"
}
