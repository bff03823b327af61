import Glibc

/// A second release of Rust. The standard library's locks have changed their layout, and its release is the compiler's;
/// programs in the field have whichever was current when they were built.
package enum OtherRust {
  /// Its compiler: the one that `LOCKJAW_OTHER_RUSTC` names, else the distribution's (1.63 in Debian 12), which
  /// Tools/packages installs beside a newer one that stands first in PATH. `nil`: this machine has neither.
  package static let compiler: String? = {
    if let named = getenv("LOCKJAW_OTHER_RUSTC") { return String(cString: named) }
    let distributions = "/usr/bin/rustc"
    return access(distributions, X_OK) == 0 ? distributions : nil
  }()
}
