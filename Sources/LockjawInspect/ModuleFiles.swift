import LockjawModel

/// Opens the files behind modules, each once, and only those that are what was mapped.
package final class ModuleFiles {
  /// Where paths are looked up.
  package enum Root: Hashable, Sendable {
    /// This machine's file system: for arenas and cores of dead processes.
    case host
    /// Through `/proc/PID/root`, so that a container's files are found; deleted ones through `/proc/PID/exe` and
    /// `/proc/PID/map_files` as far as the kernel permits.
    case process(LiveProcess)
  }

  package init(root: Root = .host) { fatalError("skeleton") }

  /// The file, or `nil` where it is missing, unreadable, damaged, or another build than the one that was mapped.
  package func file(for module: Module) -> ELFFile? { fatalError("skeleton") }
  /// Why a module's file is not used: one sentence a module, in the order they were asked for.
  package var diagnostics: [String] { fatalError("skeleton") }
}

/// An ELF file, mapped; every access bounds-checked.
package final class ELFFile: Sendable {
  package let path: String
  /// Lower-case hexadecimal, "" where it has none.
  package let buildID: String
  package init(path: String) throws(InspectError) { fatalError("skeleton") }
}
