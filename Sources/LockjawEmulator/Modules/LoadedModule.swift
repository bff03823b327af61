import LockjawInspect
import LockjawModel

/// A module with its program headers: from its file, else from the header that was loaded.
struct LoadedModule {
  let module: Module
  let segments: [ELFSegment]
  let bias: UInt64

  init?(_ module: Module, files: ModuleFiles, memory: any MemoryReader) {
    self.module = module
    if let file = files.file(for: module), let bias = file.loadBias(of: module) {
      segments = file.segments
      self.bias = bias
    } else if let image = LoadedImage(at: module.start, memory: memory) {
      segments = image.segments
      bias = image.bias
    } else {
      return nil
    }
  }

  func segment(_ type: UInt32) -> ELFSegment? { segments.first { $0.type == type } }

  func dynamicSymbols(_ memory: any MemoryReader) -> DynamicSymbols? {
    segment(ELFSegment.dynamic).flatMap {
      DynamicSymbols(
        dynamic: bias &+ $0.virtualAddress, size: $0.memorySize, module: module, bias: bias, memory: memory)
    }
  }

  /// Part of the system's C and C++ runtime or of lockjaw: no guard of the program lives in its frames.
  var isRuntime: Bool {
    let name = module.fileName
    return ["libc.so", "libc-", "ld-linux", "libpthread", "libgcc_s", "libstdc++", "libc++", "liblockjaw", "[vdso]"]
      .contains { name.hasPrefix($0) }
  }
}
