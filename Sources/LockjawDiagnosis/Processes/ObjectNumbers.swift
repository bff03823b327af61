import LockjawInspect
import LockjawModel

/// One number for one object, whichever process speaks of it.
///
/// The graph knows objects by addresses, and two processes have the same address for different things and different
/// addresses for the same. So what lies in the memory of the process that the diagnosis is about keeps its own
/// address; everything else gets a number from the half of the address space that the kernel keeps for itself:
///
///     10nn… private memory of neighbour n      11rr… shared memory r that the first process does not map
///     101…  what the kernel keeps: file locks, pipes, sockets, children
///
/// Distances within one mapping stay what they are, since a futex word is recognised as part of its lock by them.
struct ObjectNumbers {
  /// Where a number's object is.
  enum Home: Hashable {
    case memory(neighbour: Int, Address)
    case kernel(KernelWait)
  }

  private static let outside: UInt64 = 1 << 63
  private static let sharedBit: UInt64 = 1 << 62
  private static let kernelBit: UInt64 = 1 << 61
  private static let offsetMask: UInt64 = 1 << 44 - 1
  private static let addressMask: UInt64 = 1 << 47 - 1

  private struct Region: Hashable {
    var major, minor: UInt32
    var inode: UInt64
  }

  /// Of each neighbour; that of the process itself is the first.
  private let mappings: [SharedMappings]
  private var regions: [Region: UInt64] = [:]
  private var kernelObjects: [KernelWait: Address] = [:]
  private(set) var homes: [Address: Home] = [:]

  init(_ mappings: [SharedMappings]) { self.mappings = mappings }

  static func isOutside(_ address: Address) -> Bool { address.rawValue & outside != 0 }

  mutating func number(of address: Address, in neighbour: Int) -> Address {
    // What is no address of a program stays what it is: nothing, or a hostile word.
    guard address.rawValue != 0, address.rawValue <= Self.addressMask, neighbour > 0 else { return address }
    guard let place = mappings[neighbour].place(of: address) else {
      return remember(
        Address(Self.outside | UInt64(neighbour) << 48 | address.rawValue), .memory(neighbour: neighbour, address))
    }
    if let own = mappings[0].address(of: place) { return own }
    let region = Region(major: place.deviceMajor, minor: place.deviceMinor, inode: place.inode)
    let index = regions[region] ?? UInt64(regions.count)
    regions[region] = index
    return remember(
      Address(Self.outside | Self.sharedBit | index << 44 | place.offset & Self.offsetMask),
      .memory(neighbour: neighbour, address))
  }

  mutating func number(of object: KernelWait) -> Address {
    if let known = kernelObjects[object] { return known }
    let number = Address(Self.outside | Self.kernelBit | UInt64(kernelObjects.count))
    kernelObjects[object] = number
    return remember(number, .kernel(object))
  }

  private mutating func remember(_ number: Address, _ home: Home) -> Address {
    if homes[number] == nil { homes[number] = home }
    return number
  }
}
