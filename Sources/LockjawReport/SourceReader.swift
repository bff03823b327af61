/// Gives line `line` (from 1) of the source file at `path`, or `nil` where it cannot be read.
///
/// Handed in by the caller, so that rendering stays a pure function: the command reads files, tests have a table.
package typealias SourceReader = (_ path: String, _ line: Int) -> String?
