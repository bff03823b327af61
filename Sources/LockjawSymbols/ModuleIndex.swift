import LockjawModel

/// Modules by address.
struct ModuleIndex {
  /// By rising start.
  let modules: [Module]

  init(_ modules: [Module]) { self.modules = modules.sorted { $0.start < $1.start } }

  /// Index in `modules`. Logarithmic; where ranges overlap, which a kernel's list never has, the later start wins.
  func index(containing address: Address) -> Int? {
    var low = 0
    var high = modules.count
    while low < high {
      let middle = (low + high) / 2
      if modules[middle].start <= address { low = middle + 1 } else { high = middle }
    }
    return low > 0 && modules[low - 1].contains(address) ? low - 1 : nil
  }
}
