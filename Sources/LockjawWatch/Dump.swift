import LockjawDiagnosis
import LockjawInspect

/// `lockjaw dump`: a snapshot, the memory that a diagnosis of it reads, and both as one file.
package struct Dump {
  package let path: String
  package let byteCount: Int
  package let threads: Int
  package let pauseMilliseconds: Double
  /// Threads that could not be stopped, in sentences.
  package let diagnostics: [String]

  /// - Parameter isCompressed: writes a zstd stream.
  /// - Throws: what hinders the snapshot, or the file.
  package init(_ process: LiveProcess, to path: String, isCompressed: Bool = false) throws(InspectError) {
    try self.init(Snapshot.take(pid: process.pid), of: process, to: path, isCompressed: isCompressed)
  }

  /// The same for a snapshot that was taken before.
  init(
    _ snapshot: Snapshot, of process: LiveProcess, to path: String, isCompressed: Bool = false
  ) throws(InspectError) {
    // A core without a thread is none: nobody could read it.
    guard snapshot.threads.contains(where: { $0.registers != nil }) else { throw .notStopped(pid: process.pid) }
    // The diagnosis itself says which memory it needs; what it finds is for the reader of the file.
    let memory = RecordingMemory(ProcessMemory(process))
    let target = SnapshotTarget(
      snapshot, memory: memory, files: ModuleFiles(root: .process(process)), condition: "running")
    _ = Examination(Examination.glance(target), arena: nil, target: target, stall: 0)
    byteCount = try Minicore(snapshot, of: process, touched: memory.touched).write(
      to: path, isCompressed: isCompressed)
    self.path = path
    threads = snapshot.threads.count
    pauseMilliseconds = snapshot.pauseMilliseconds
    diagnostics = snapshot.threads.compactMap { thread in
      thread.missing.map { "thread \(thread.tid): \($0)" }
    }
  }
}
