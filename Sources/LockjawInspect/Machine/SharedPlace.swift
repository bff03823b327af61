import LockjawModel

/// Where an address lies in memory that several processes can map: the same place has the same value in all of them.
package struct SharedPlace: Hashable, Sendable {
  package var deviceMajor: UInt32
  package var deviceMinor: UInt32
  package var inode: UInt64
  /// Bytes from the beginning of the file.
  package var offset: UInt64
  /// As this process' list of mappings names it; two processes may know one file by two names.
  package var path: String

  package static func == (a: SharedPlace, b: SharedPlace) -> Bool {
    (a.deviceMajor, a.deviceMinor, a.inode, a.offset) == (b.deviceMajor, b.deviceMinor, b.inode, b.offset)
  }
  package func hash(into hasher: inout Hasher) {
    hasher.combine(deviceMajor)
    hasher.combine(deviceMinor)
    hasher.combine(inode)
    hasher.combine(offset)
  }
}

/// The mappings of one process that others may have as well.
package struct SharedMappings: Sendable {
  private let map: MemoryMap

  /// Empty where the kernel will not show the list.
  package init(_ process: LiveProcess) { map = (try? process.memoryMap()) ?? MemoryMap(entries: []) }

  /// `nil` for private memory. Anonymous shared memory has an inode of its own and is found here, too.
  package func place(of address: Address) -> SharedPlace? {
    guard let entry = map.entry(containing: address.rawValue), entry.isShared, entry.inode != 0 else { return nil }
    return SharedPlace(
      deviceMajor: entry.deviceMajor, deviceMinor: entry.deviceMinor, inode: entry.inode,
      offset: entry.offset &+ (address.rawValue - entry.start), path: entry.path)
  }
}

extension SharedMappings {
  /// Where this process has the place; `nil` where it does not map it. Of several mappings the lowest.
  package func address(of place: SharedPlace) -> Address? {
    let entry = map.entries.first { entry in
      entry.isShared && entry.inode == place.inode && entry.deviceMajor == place.deviceMajor
        && entry.deviceMinor == place.deviceMinor && entry.offset <= place.offset
        && place.offset - entry.offset < entry.end - entry.start
    }
    return entry.map { Address($0.start + (place.offset - $0.offset)) }
  }
}
