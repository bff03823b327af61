import Glibc

/// An error number as a value that can be thrown.
struct Errno: Error, Hashable {
  let number: Int32
  static var current: Errno { Errno(number: errno) }
}

/// Reading the kernel's small text files. They have no size until they are read, and each read is one answer.
enum ProcFile {
  /// - Parameter atMost: where to stop: a file of the kernel that is larger has gone wrong.
  static func bytes(_ path: String, atMost: Int = 64 << 20) throws(Errno) -> [UInt8] {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { throw .current }
    defer { close(fd) }
    // The kernel hands out the lists of a process a page or so at a time, whatever the buffer.
    var capacity = 1 << 14
    var count = 0
    var storage = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    defer { storage.deallocate() }
    while count < atMost {
      if count == capacity {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity * 2, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(storage))
        storage.deallocate()
        storage = larger
        capacity *= 2
      }
      guard let base = storage.baseAddress else { break }
      let got = read(fd, base + count, min(capacity, atMost) - count)
      if got < 0 {
        if errno == EINTR { continue }
        throw .current
      }
      if got == 0 { break }
      count += got
    }
    return [UInt8](UnsafeRawBufferPointer(rebasing: storage[..<count]))
  }

  /// The beginning of a regular file; `nil` for anything else: a pipe would keep whoever opens it waiting.
  static func head(_ path: String, count: Int) -> [UInt8]? {
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    var bytes = [UInt8](repeating: 0, count: count)
    let got = pread(fd, &bytes, count, 0)
    return got < 0 ? nil : Array(bytes[..<got])
  }

  /// The content without its last newline; bytes that are no UTF-8 are replaced.
  static func text(_ path: String) throws(Errno) -> String {
    var content = try bytes(path, atMost: 1 << 20)
    if content.last == 0x0A { content.removeLast() }
    return String(decoding: content, as: UTF8.self)
  }

  static func link(_ path: String) throws(Errno) -> String {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let got = buffer.withUnsafeMutableBytes { raw in
      raw.withMemoryRebound(to: CChar.self) { readlink(path, $0.baseAddress!, $0.count) }
    }
    guard got >= 0 else { throw .current }
    return String(decoding: buffer[..<got], as: UTF8.self)
  }

  /// The entries of a directory whose names are numbers: processes, threads, descriptors.
  static func numbers(in directory: String) throws(Errno) -> [Int32] {
    guard let stream = opendir(directory) else { throw .current }
    defer { closedir(stream) }
    var result = [Int32]()
    while let entry = readdir(stream) {
      // Parsed in place: a String for each of ten thousand threads would be the larger part of the cost.
      let number = withUnsafeBytes(of: &entry.pointee.d_name) { name -> Int32? in
        var value: Int32 = 0
        for (index, byte) in name.enumerated() {
          if byte == 0 { return index == 0 ? nil : value }
          guard (0x30...0x39).contains(byte), value < 200_000_000 else { return nil }
          value = value * 10 + Int32(byte - 0x30)
        }
        return nil
      }
      if let number { result.append(number) }
    }
    return result
  }
}
