import CLockjawNative
import Glibc
import LockjawInspect
import LockjawModel

/// Everything that names addresses of one module: its file, its separate debug file, their symbol tables and DWARF, and
/// what these refer to. Opened piece by piece, as it is asked for.
final class ModuleSymbols {
  let module: Module
  /// The file that was mapped, where it can be had.
  let file: ELFFile?
  private let debugFile: ELFFile?
  private let debugFiles: DebugFiles
  /// Of a stripped file: the names that were left in it, packed. Unpacked by the first address that asks.
  private lazy var miniDebugInfo = hasPackedSymbols ? file?.miniDebugInfo() : nil
  /// Added to a file's address it gives the process'.
  let bias: UInt64?
  let wantsLines: Bool
  /// Opened by the first address that asks for lines.
  private enum DWARF {
    case unopened
    case opened(OpaquePointer?)
  }
  private var dwarf = DWARF.unopened
  private var alternateFile: ELFFile?
  private var missesAlternate = false

  /// - Parameter wantsLines: `false` leaves DWARF unopened; function names come from symbol tables.
  init(module: Module, files: ModuleFiles, debugFiles: DebugFiles, wantsLines: Bool) {
    self.module = module
    self.wantsLines = wantsLines
    self.debugFiles = debugFiles
    let file = files.file(for: module)
    self.file = file
    let buildID = module.buildID.isEmpty ? file?.buildID ?? "" : module.buildID
    let link = file.flatMap { file in
      file.section(named: ".gnu_debuglink").map { file.string(at: $0.offset, limit: Int(min($0.size, 256))) }
    }
    let hasOwnLines = file?.section(named: ".debug_info") != nil
    debugFile =
      hasOwnLines
      ? nil : debugFiles.file(buildID: buildID, modulePath: module.pathWithoutMark, debugLink: link, mayAsk: wantsLines)
    bias = file?.loadBias(of: module) ?? debugFile?.loadBias(of: module)
  }

  deinit {
    // The files, and with them the bytes libdw looks at, go after this.
    if case .opened(let handle?) = dwarf { lj_dwarf_close(handle) }
  }

  var buildID: String { module.buildID.isEmpty ? file?.buildID ?? "" : module.buildID }
  /// Names this build and the files its names come from; `nil` where there is no build-id to go by.
  var cacheKey: String? {
    // It becomes a file name: hexadecimal digits only, whatever a hostile arena says.
    guard !buildID.isEmpty, buildID.utf8.count <= 64, buildID.allSatisfy(\.isHexDigit) else { return nil }
    return ([file, debugFile] as [ELFFile?]).reduce(buildID + (wantsLines ? "-l" : "-n")) { key, file in
      key + (file.map { "-\($0.inode).\($0.byteCount)" } ?? "-0")
    }
  }
  /// Whether lines can be expected here.
  var hasLines: Bool { [file, debugFile].contains { $0?.section(named: ".debug_info") != nil } }
  private var hasPackedSymbols: Bool {
    debugFile == nil && file?.section(named: ".gnu_debugdata") != nil
      && !(file?.sections.contains { $0.type == ELFSection.symbolTable } ?? false)
  }
  /// Whether debug information that was asked for stands in files that are not there.
  var missesOtherFiles: Bool {
    guard case .opened(let handle?) = dwarf else { return false }
    return missesAlternate || lj_dwarf_missed_split_unit(handle)
  }
  /// Whether its debug information asked for more work than one file is given, so that some of it was not looked at.
  var isCutShort: Bool {
    guard case .opened(let handle?) = dwarf else { return false }
    return lj_dwarf_is_cut_short(handle)
  }
  /// For people: of which kind they are.
  var missingFiles: String { missesAlternate ? ".gnu_debugaltlink" : ".dwo" }
  /// The package of split units that lies beside the module, or beside its debug file; libdw does not read them.
  var unreadPackage: String? {
    guard !missesAlternate else { return nil }
    return [file, debugFile].lazy.compactMap { $0.map { $0.path + ".dwp" } }.first { access($0, F_OK) == 0 }
  }
  /// Whether every function has its name, not only those that are exported.
  var hasFullSymbolTable: Bool {
    hasLines || miniDebugInfo != nil
      || [file, debugFile].contains { $0?.sections.contains { $0.type == ELFSection.symbolTable } ?? false }
  }

  /// The calls at an address of the file, innermost first; file names absolute where the compiler recorded enough.
  func calls(at address: UInt64) -> [SourceCall] {
    guard wantsLines, let dwarf = openedDWARF() else { return [] }
    let most = 64
    let frames = [lj_dwarf_frame](unsafeUninitializedCapacity: most) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      count = lj_dwarf_frames(dwarf, address, base, most)
    }
    return frames.map { frame in
      SourceCall(
        linkageName: frame.linkage_name.map { String(cString: $0) }, name: frame.name.map { String(cString: $0) },
        file: path(frame.file, in: frame.directory), line: frame.line > 0 ? Int(frame.line) : nil,
        isInlined: frame.is_inlined)
    }
  }

  /// The ELF symbol an address of the file lies in, as the linker has it.
  func symbol(at address: UInt64, isVariable: Bool = false) -> (name: String, offset: UInt64)? {
    // A full table holds all that a dynamic one does; what is packed into a stripped file holds the rest of it.
    let best =
      symbol(at: address, ofType: ELFSection.symbolTable, in: [debugFile, file], isVariable)
      ?? closer(
        symbol(at: address, ofType: ELFSection.symbolTable, in: [miniDebugInfo], isVariable),
        symbol(at: address, ofType: ELFSection.dynamicSymbols, in: [debugFile, file], isVariable))
    guard let best, let name = best.name else { return nil }
    // "name@@VERSION": the version is the linker's affair.
    let text = String(cString: name)
    return (String(text.prefix(while: { $0 != "@" })), address - best.value)
  }

  /// How the source goes on from a variable's name to `offset` inside it: "[1].lock"; `nil` where it is not described.
  /// - Parameter start: the variable's address in the file.
  func path(to offset: UInt64, inVariableAt start: UInt64) -> String? {
    guard wantsLines, let dwarf = openedDWARF() else { return nil }
    var text = [CChar](repeating: 0, count: 512)
    guard lj_dwarf_variable_path(dwarf, start, offset, &text, text.count) else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func symbol(
    at address: UInt64, ofType type: UInt32, in files: [ELFFile?], _ isVariable: Bool
  ) -> lj_symbol? {
    for file in files {
      guard let file else { continue }
      for table in file.sections where table.type == type {
        if let found = symbol(at: address, in: table, of: file, isVariable: isVariable) { return found }
      }
    }
    return nil
  }

  /// Of two symbols for one address: one that is known to reach so far, else the nearer one.
  private func closer(_ a: lj_symbol?, _ b: lj_symbol?) -> lj_symbol? {
    guard let a, let b else { return a ?? b }
    if (a.size > 0) != (b.size > 0) { return a.size > 0 ? a : b }
    return b.value > a.value ? b : a
  }

  private func symbol(at address: UInt64, in table: ELFSection, of file: ELFFile, isVariable: Bool) -> lj_symbol? {
    let entry = 24  // Elf64_Sym
    guard table.entrySize == UInt64(entry), Int(table.link) < file.sections.count, !table.isCompressed else {
      return nil
    }
    let strings = file.sections[Int(table.link)]
    guard strings.occupiesFile, !strings.isCompressed else { return nil }
    return file.withBytes { bytes -> lj_symbol? in
      guard let base = bytes.baseAddress else { return nil }
      var found = lj_symbol()
      let isFound = lj_find_symbol(
        base + Int(table.offset), Int(table.size) / entry,
        (base + Int(strings.offset)).assumingMemoryBound(to: CChar.self), Int(strings.size), address, isVariable, &found
      )
      return isFound ? found : nil
    }
  }

  func path(_ file: UnsafePointer<CChar>?, in directory: UnsafePointer<CChar>?) -> String? {
    guard let file else { return nil }
    var name = String(cString: file)
    // Code that the compiler made up has no file.
    guard !name.hasSuffix("<compiler-generated>") else { return nil }
    if !name.hasPrefix("/"), let directory { name = String(cString: directory) + "/" + name }
    return name.split(separator: "/./", omittingEmptySubsequences: false).joined(separator: "/")
  }

  func openedDWARF() -> OpaquePointer? {
    if case .opened(let handle) = dwarf { return handle }
    let handle = openDWARF()
    dwarf = .opened(handle)
    return handle
  }

  private func openDWARF() -> OpaquePointer? {
    for file in [file, debugFile] {
      guard let file, file.section(named: ".debug_info") != nil else { continue }
      guard file.unpacksReasonably, let handle = open(file) else { return nil }
      addAlternate(to: handle, of: file)
      return handle
    }
    return nil
  }

  /// The mapping outlives the DWARF handle: both belong to this object.
  private func open(_ file: ELFFile) -> OpaquePointer? {
    file.withBytes { bytes in bytes.baseAddress.flatMap { lj_dwarf_open($0, bytes.count) } }
  }

  /// `.gnu_debugaltlink`: a file name, a zero, and the build-id that the file must have.
  private func addAlternate(to handle: OpaquePointer, of file: ELFFile) {
    guard let link = file.section(named: ".gnu_debugaltlink"), link.occupiesFile, link.size <= 4096 + 64 else { return }
    let name = file.string(at: link.offset, limit: Int(link.size))
    let rest = UInt64(name.utf8.count + 1)
    let buildID = rest < link.size ? file.hexadecimal(at: link.offset + rest, count: Int(link.size - rest)) : ""
    alternateFile = debugFiles.alternate(buildID: buildID, name: name, path: file.path)
    let alternate = alternateFile.flatMap { $0.unpacksReasonably ? open($0) : nil }
    missesAlternate = alternate == nil
    lj_dwarf_set_alternate(handle, alternate)
  }
}

/// One function at an address, as DWARF has it.
struct SourceCall {
  var linkageName: String?
  var name: String?
  var file: String?
  var line: Int?
  var isInlined: Bool
  /// Only the line table speaks of the address.
  var isLineOnly: Bool { linkageName == nil && name == nil && !isInlined }
}
