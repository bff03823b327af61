import LockjawInspect
import LockjawModel

extension Module {
  static let testBase: UInt64 = 0x5555_5000_0000

  /// The module a loader would make of this file at `testBase`.
  static func loaded(_ file: ELFFile, path: String) -> Module? {
    guard let text = file.segments.first(where: { $0.type == ELFSegment.load && $0.isExecutable }) else { return nil }
    let end = file.segments.compactMap(\.virtualEnd).max() ?? 0
    return Module(
      path: path, start: Address(testBase), end: Address(testBase + end),
      textStart: Address(testBase + (text.virtualAddress & ~4095)),
      textEnd: Address(testBase + text.virtualAddress + text.memorySize), textOffset: text.offset & ~4095,
      buildID: "", inode: 0)
  }
}
