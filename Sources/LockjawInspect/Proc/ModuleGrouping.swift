import LockjawModel

/// Mappings of files → modules.
enum ModuleGrouping {
  /// Groups neighbouring mappings of one file, and keeps those groups that have code.
  ///
  /// Two copies of one library can be loaded (dlmopen), and neighbouring segments may map the same page of the file,
  /// so a rising offset alone does not tell where one copy ends: the image's own header says how far it reaches.
  static func modules(_ map: MemoryMap, image: (Address) -> LoadedImage?) -> [Module] {
    var result = [Module]()
    let entries = map.entries
    var isTaken = [Bool](repeating: false, count: entries.count)
    // Images whose headers in a hostile core say that each reaches over all the others would make this quadratic.
    var skipsLeft = entries.count * mostSkipsPerEntry
    for index in entries.indices where !isTaken[index] {
      let first = entries[index]
      guard isFile(first) || first.path == "[vdso]" else { continue }
      let loaded = first.offset == 0 ? image(Address(first.start)) : nil
      var end = first.end
      var text = first.isExecutable ? first : nil
      for next in (index + 1)..<max(index + 1, entries.count) {
        let entry = entries[next]
        if let loaded, entry.start >= loaded.end { break }
        guard entry.inode == first.inode, entry.deviceMajor == first.deviceMajor,
          entry.deviceMinor == first.deviceMinor, entry.path == first.path
        else {
          // Within an image's reach lie its zero pages, and, where segments are far apart, even other files.
          if loaded == nil || skipsLeft == 0 { break }
          skipsLeft -= 1
          continue
        }
        if loaded == nil, entry.offset == 0 { break }
        isTaken[next] = true
        end = entry.end
        if text == nil, entry.isExecutable { text = entry }
      }
      if let text {
        result.append(
          Module(
            path: first.path, start: Address(first.start), end: Address(end), textStart: Address(text.start),
            textEnd: Address(text.end), textOffset: text.offset, buildID: loaded?.buildID ?? "", inode: first.inode))
      }
    }
    return result
  }

  /// Mappings of others inside an image's reach: a handful, for most images none.
  private static let mostSkipsPerEntry = 16

  private static func isFile(_ entry: MemoryMapEntry) -> Bool {
    entry.inode != 0 && entry.path.hasPrefix("/")
      && (!entry.path.hasPrefix("/dev/") || entry.path.hasPrefix("/dev/shm/"))
  }
}
