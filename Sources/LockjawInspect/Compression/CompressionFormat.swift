/// How a file is compressed, by its first bytes.
package enum CompressionFormat: Hashable, Sendable {
  case zstd
  case xz
  /// One that lockjaw does not read.
  case foreign(name: String, command: String)

  private static let signatures: [(bytes: [UInt8], format: CompressionFormat)] = [
    ([0x28, 0xB5, 0x2F, 0xFD], .zstd),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], .xz),
    ([0x1F, 0x8B], .foreign(name: "gzip", command: "gzip -d")),
    ([0x04, 0x22, 0x4D, 0x18], .foreign(name: "lz4", command: "lz4 -d")),
    ([0x42, 0x5A, 0x68], .foreign(name: "bzip2", command: "bzip2 -d")),
  ]

  /// `nil`: not compressed, as far as can be seen.
  init?(_ bytes: some Sequence<UInt8>) {
    let head = Array(bytes.prefix(8))
    guard let found = Self.signatures.first(where: { head.starts(with: $0.bytes) }) else { return nil }
    self = found.format
  }

  /// Of a file; `nil` also where it cannot be read.
  package init?(path: String) {
    guard let head = ProcFile.head(path, count: 8) else { return nil }
    self.init(head)
  }
}
