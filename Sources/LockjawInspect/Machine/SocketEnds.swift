import CLockjawNative

/// What the two ends of a socket are, as far as the kernel of this network namespace says.
package enum SocketEnds {
  /// Inode of the socket at the other end of a connected unix socket; `nil` where there is none or nobody says.
  package static func unixPeer(of inode: UInt64) -> UInt64? {
    guard let inode = UInt32(exactly: inode) else { return nil }
    let peer = lj_unix_peer(inode)
    return peer > 0 ? UInt64(peer) : nil
  }

  /// "TCP 127.0.0.1:4000 to 10.0.0.7:5432", from `/proc/PID/net`; `nil` for sockets of other kinds.
  package static func name(of inode: UInt64, in process: LiveProcess) -> String? {
    for (file, family) in [("tcp", "TCP"), ("tcp6", "TCP"), ("udp", "UDP"), ("udp6", "UDP")] {
      guard let content = try? ProcFile.bytes("\(process.liveDirectory)/net/\(file)", atMost: 16 << 20) else {
        continue
      }
      // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
      for line in content.split(separator: 0x0A).dropFirst() {
        let fields = line.split(separator: 0x20)
        guard fields.count > 9, UInt64(String(decoding: fields[9], as: UTF8.self)) == inode,
          let local = address(String(decoding: fields[1], as: UTF8.self)),
          let remote = address(String(decoding: fields[2], as: UTF8.self))
        else { continue }
        return remote.hasSuffix(":0") ? "\(family) \(local)" : "\(family) \(local) to \(remote)"
      }
    }
    return nil
  }

  /// `0100007F:0FA0` is 127.0.0.1:4000: each group of four bytes is a number in the machine's order.
  static func address(_ text: String) -> String? {
    let parts = text.split(separator: ":")
    guard parts.count == 2, let port = UInt16(parts[1], radix: 16) else { return nil }
    let digits = Array(parts[0].utf8)
    guard digits.count == 8 || digits.count == 32 else { return nil }
    var bytes: [UInt8] = []
    for word in stride(from: 0, to: digits.count, by: 8) {
      guard let value = UInt32(String(decoding: digits[word..<word + 8], as: UTF8.self), radix: 16) else { return nil }
      for shift in stride(from: 0, to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
    }
    // ::ffff:127.0.0.1 is an IPv4 address to whoever reads it.
    if bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
      bytes = Array(bytes[12...])
    }
    if bytes.count == 4 { return bytes.map { "\($0)" }.joined(separator: ".") + ":\(port)" }
    let groups = stride(from: 0, to: 16, by: 2).map {
      String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
    }
    return "[\(groups.joined(separator: ":"))]:\(port)"
  }
}
