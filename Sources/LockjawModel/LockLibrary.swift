/// Whose lock it is: which code gave its words their meaning. Raw values are what reports print.
package enum LockLibrary: String, Hashable, Sendable, CaseIterable {
  case glibc
  /// The C library's own, that no program declares: those of stdio's streams.
  case glibcInternal = "glibc (internal)"
  case musl
  case rustStd = "Rust std"
  case parkingLot = "parking_lot"
  case swift = "Swift"
  case abseil
  case libstdcxx = "libstdc++"
  case libcxx = "libc++"
  /// A futex whose owner nothing tells.
  case unknown = "inlined (futex word)"
}
