import LockjawModel

extension CoreFile {
  /// The core as a snapshot: the same value that a running process gives, so that whatever reads it need not know
  /// where it came from. Stacks and the vdso are in `memory`.
  /// - Parameter files: opened where neither the core nor its headers tell which mapping is code.
  package func snapshot(files: ModuleFiles = ModuleFiles()) -> Snapshot {
    let threads = statuses.map { status in
      let kept = note?.threads[status.tid]
      let activity = ThreadActivity(status.registers, callNumber: status.callNumber).asFutexCall(memory)
      return Snapshot.Thread(
        tid: ThreadID(status.tid), name: kept?.name ?? "", registers: status.registers, stack: nil,
        callNumber: status.callNumber, sleptNanoseconds: kept?.sleptNanoseconds, kernelState: activity.kernelState,
        futexWait: activity.futexWait, missing: nil)
    }
    let unstoppable = (note?.threadIDs ?? []).compactMap { tid -> Snapshot.Thread? in
      guard let thread = note?.threads[tid], let missing = thread.missing else { return nil }
      return Snapshot.Thread(
        tid: ThreadID(tid), name: thread.name, registers: nil, stack: nil, callNumber: .max,
        sleptNanoseconds: nil, kernelState: .unknown(reason: missing), missing: missing)
    }
    let modules = modules(files)
    return Snapshot(
      process: outline(modules), threads: threads + unstoppable, modules: modules, vdso: nil, words: [],
      descriptors: note?.descriptors ?? [:], takenAt: Instant(nanoseconds: note?.takenNanoseconds ?? 0),
      pauseMilliseconds: 0)
  }

  /// Whether waits can be dated: only our own minicores say how long each thread had slept.
  package var tellsDurations: Bool { note != nil }

  /// A file that the process had mapped, perhaps in parts.
  package struct MappedFile: Hashable, Sendable {
    package struct Part: Hashable, Sendable {
      package var start: Address
      package var byteCount: UInt64
      /// Where in the file the part begins.
      package var offset: UInt64
    }
    package var path: String
    /// By address.
    package var parts: [Part]
  }

  /// The first file with this ending.
  package func mappedFile(suffix: String) -> MappedFile? {
    guard
      let first = mappedFiles.first(where: { $0.path.hasSuffix(suffix) || $0.path.hasSuffix(suffix + " (deleted)") })
    else { return nil }
    let parts = mappedFiles.filter { $0.path == first.path && $0.end > $0.start }.map {
      MappedFile.Part(start: Address($0.start), byteCount: $0.end - $0.start, offset: $0.offset)
    }
    return MappedFile(path: first.path, parts: parts)
  }

  private func outline(_ modules: [Module]) -> ProcessOutline {
    if let note { return note.outline }
    var outline = ProcessOutline(pid: processName?.pid ?? statuses.first?.tid ?? 0)
    outline.parent = processName?.parent ?? 0
    outline.userID = processName?.userID ?? 0
    outline.name = processName?.name ?? ""
    outline.command = processName?.arguments ?? ""
    // The program is the file its entry point lies in; without that, the first that was mapped.
    let entry = auxiliary.values[CoreAuxiliaryVector.entryPoint].map { Address($0) }
    let program = entry.flatMap { at in modules.first { $0.contains(at) } } ?? modules.first
    outline.executable = program?.path ?? ""
    return outline
  }

  // MARK: modules

  private func modules(_ files: ModuleFiles) -> [Module] {
    let executable = segments.filter { $0.type == ELFSegment.load && $0.isExecutable }
      .map(\.virtualAddress)
    let isCode = Set(executable)
    var entries = mappedFiles
    for index in entries.indices { entries[index].isExecutable = isCode.contains(entries[index].start) }
    markCodeByHeaders(&entries)
    if let vdso = vdsoEntry { entries.append(vdso) }
    entries.sort { $0.start < $1.start }
    return ModuleGrouping.modules(MemoryMap(entries: entries)) { LoadedImage(at: $0, memory: memory) }
      .map { module in
        // The note does not say which inode it was.
        var module = module
        module.inode = 0
        return module
      }
  }

  /// gcore leaves mappings out that it does not copy, so their permissions are not in the core. The file's own headers
  /// say which part of it is code: those in the core, else those of the file that is there now.
  private func markCodeByHeaders(_ entries: inout [MemoryMapEntry]) {
    let known = Set(entries.lazy.filter(\.isExecutable).map(\.path))
    /// Where in each file pages of code begin.
    var code: [String: Set<UInt64>] = [:]
    for entry in entries where !known.contains(entry.path) && entry.offset == 0 && code[entry.path] == nil {
      let segments =
        LoadedImage(at: Address(entry.start), memory: memory)?.segments
        ?? (entry.path.hasPrefix("/") ? try? ELFFile(path: entry.path) : nil)?.segments ?? []
      code[entry.path] = Set(
        segments.lazy.filter { $0.type == ELFSegment.load && $0.isExecutable }.map { $0.offset & ~4095 })
    }
    for index in entries.indices {
      guard let pages = code[entries[index].path] else { continue }
      entries[index].isExecutable = pages.contains(entries[index].offset)
    }
  }

  /// Its address is in the auxiliary vector; how long it is, the segment tells that has it.
  private var vdsoEntry: MemoryMapEntry? {
    guard let start = auxiliary.values[CoreAuxiliaryVector.vdso], start != 0,
      let segment = segments.first(where: { $0.type == ELFSegment.load && $0.virtualAddress == start }),
      let end = segment.virtualEnd
    else { return nil }
    return MemoryMapEntry(
      start: start, end: end, isReadable: true, isWritable: false, isExecutable: true, offset: 0, deviceMajor: 0,
      deviceMinor: 0, inode: 0, path: "[vdso]")
  }
}
