import CLockjawNative

/// A zstd stream in the making: `zstd -d` reads it, and so does `UnpackedFile`.
final class Packing {
  private let native: OpaquePointer
  private var room = [UInt8](repeating: 0, count: 128 << 10)

  /// - Parameter totalBytes: what will be packed in all; the stream announces it.
  /// - Returns: `nil` where there is no memory for it.
  init?(totalBytes: UInt64) {
    guard let native = lj_packer_create(totalBytes) else { return nil }
    self.native = native
  }

  deinit { lj_packer_destroy(native) }

  /// Packs `bytes`, and gives `write` what can be written already.
  /// - Parameter isLast: the stream ends with these.
  /// - Returns: `false` where more or less was packed than was announced.
  func pack(
    _ bytes: UnsafeRawBufferPointer, isLast: Bool,
    write: (UnsafeRawBufferPointer) throws(InspectError) -> Void
  ) throws(InspectError) -> Bool {
    var used = 0
    // The library wants an address also where there is nothing at it.
    var nothing: UInt8 = 0
    while true {
      var produced = 0
      let status = withUnsafeMutablePointer(to: &nothing) { empty in
        lj_packer_run(
          native, bytes.baseAddress ?? UnsafeRawPointer(empty), bytes.count, &used, &room, room.count, &produced, isLast
        )
      }
      guard status >= 0 else { return false }
      var failure: InspectError?
      room.withUnsafeBytes { raw in
        do throws(InspectError) { try write(UnsafeRawBufferPointer(rebasing: raw[..<produced])) } catch {
          failure = error
        }
      }
      if let failure { throw failure }
      if status == 0 { return true }
    }
  }
}
