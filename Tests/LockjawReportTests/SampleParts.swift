import LockjawModel

/// Short words for building reports by hand.

func tid(_ number: Int32) -> ThreadID { ThreadID(number) }

/// A frame of the program, in /srv/bank unless `file` is a path.
func at(
  _ function: String?, _ file: String? = nil, _ line: Int? = nil, module: String = "bank", offset: UInt64 = 0x1234,
  inlined: Bool = false
) -> Frame {
  let path = file.map { $0.hasPrefix("/") ? $0 : "/srv/bank/" + $0 }
  return Frame(function: function, file: path, line: line, module: module, offset: offset, isInlined: inlined)
}

func plumbing(_ function: String?, module: String = "libc.so.6", offset: UInt64 = 0x89144) -> Frame {
  Frame(function: function, module: module, offset: offset, isPlumbing: true)
}

/// What stands around the program's own frames in every pthread wait.
func waitingStack(_ frames: Frame...) -> [Frame] {
  [
    plumbing("__futex_abstimed_wait_common64"), plumbing("__pthread_mutex_lock"),
    plumbing("pthread_mutex_lock", module: "liblockjaw.so", offset: 0x3f10),
  ]
    + frames + [plumbing("start_thread"), plumbing("clone3")]
}

func bank(_ condition: String = "running", command: String = "./bank --serve 8080") -> ProcessReport {
  ProcessReport(
    pid: 4700, command: command, executable: "/srv/bank/bank",
    buildID: "3f2a9c01d5e84b7799aa21f0c3de5b6a7c8d9e0f", started: "2025-06-01T03:04:05Z", condition: condition)
}

func mutex(_ id: String, _ address: UInt64, _ name: String? = nil, state: String = "locked", initialised: Frame? = nil)
  -> LockReport
{
  LockReport(
    id: id, address: Address(address), type: .mutex, library: "glibc", name: name, state: state,
    initialisedAt: initialised)
}

/// Sources as a reader sees them: `path:line` → text.
func sourceTable(_ path: String, _ line: Int) -> String? {
  [
    "/srv/bank/bank.c:28": "  pthread_mutex_lock(&accounts_lock);",
    "/srv/bank/bank.c:31": "\tpthread_mutex_lock(&ledger_lock);   /* nested */",
    "/srv/bank/bank.c:41": "    pthread_mutex_lock(&ledger_lock);",
    "/srv/bank/bank.c:44": "    pthread_mutex_lock(&accounts_lock);",
    "/srv/bank/phil.c:20": "pthread_mutex_lock(&fork_of[seat]);",
    "/srv/bank/phil.c:21": "pthread_mutex_lock(&fork_of[(seat + 1) % 5]);",
    "/srv/bank/src/router.rs:61": "        self.table.write().unwrap().insert(host, record);",
    "/srv/bank/src/router.rs:57": "    if let Some(known) = self.table.read().unwrap().get(&host) {",
  ]["\(path):\(line)"]
}
