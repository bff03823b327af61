import LockjawModel

extension LiveProcess {
  /// Files with code mapped into the process, and the vdso; build-ids as the mapped memory has them.
  /// - Throws: `notPermitted`, `noSuchProcess`, `zombie`.
  package func modules() throws(InspectError) -> [Module] {
    let map = try memoryMap()
    let memory = ProcessMemory(self)
    return ModuleGrouping.modules(map) { LoadedImage(at: $0, memory: memory) }
  }

  /// Path under which liblockjaw is mapped, `nil` where it is not (or the kernel will not say).
  package var preloadedShimPath: String? {
    guard let map = try? memoryMap() else { return nil }
    return map.entries.first {
      $0.isExecutable && $0.path.split(separator: "/").last?.hasPrefix("liblockjaw") ?? false
    }?.path
  }

  /// A zombie's own list is empty, so a thread that lives is asked.
  func memoryMap() throws(InspectError) -> MemoryMap {
    guard let task = firstLiveTask else {
      throw stillExists ? .zombie(pid: pid) : .noSuchProcess(pid: pid)
    }
    let content: [UInt8]
    do throws(Errno) {
      content = try ProcFile.bytes("\(directory)/task/\(task)/maps")
    } catch {
      if AccessRights.isRefusal(error) { throw .notPermitted(pid: pid, remedy: AccessRights.remedy(pid: pid)) }
      throw .noSuchProcess(pid: pid)
    }
    return MemoryMap(content)
  }

  private var stillExists: Bool { StatusFile(pid: pid) != nil }
}
