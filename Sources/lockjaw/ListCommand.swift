import ArgumentParser
import LockjawArena
import LockjawReport
import LockjawWatch

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Preloaded processes of this user, their health, and what dead ones left.")

  @Option(help: ArgumentHelp("A wait this long is a finding of its own.", valueName: "SECONDS"))
  var stall: Double = 10

  @Argument(help: ArgumentHelp("Directory of arenas; the standard one where it is left out.", valueName: "DIR"))
  var directory: String?

  func run() throws {
    let place = directory.map { ArenaDirectory(path: $0) } ?? .standard()
    if let reason = place.refusal {
      // A program of its own user's is passed over to the next directory, or not recorded: this is where it says so.
      print(
        "\(Printable.escaped(place.path)) is refused by the shim: \(reason). Nothing is recorded there; name another directory in LOCKJAW_DIR."
      )
    }
    let contents = Inventory.contents(place, stall: stall)
    if contents.running.isEmpty && contents.left.isEmpty {
      print("No preloaded process has an arena in \(place.path).")
      return
    }
    if !contents.running.isEmpty {
      print(pad("PID", 8) + pad("THREADS", 9) + pad("STATE", 12) + pad("RECORDS", 9) + pad("COMMAND", 28) + "HEALTH")
      for row in contents.running { print(line(row)) }
    }
    if !contents.left.isEmpty {
      if !contents.running.isEmpty { print("") }
      print("Left by processes that are gone, newest first; 'lockjaw analyze' says more:")
      for row in contents.left {
        print(line(row))
        print(pad("", 8) + row.arenaPath)
      }
      if contents.olderCount > 0 { print("and \(contents.olderCount) older in \(place.path)") }
    }
  }

  private func line(_ row: Inventory.Row) -> String {
    pad("\(row.pid)", 8) + pad("\(row.threads)", 9) + pad(row.condition, 12) + pad(row.level?.rawValue ?? "-", 9)
      + pad(Printable.escaped(row.command), 28) + Printable.escaped(row.health)
  }

  private func pad(_ text: String, _ width: Int) -> String {
    let cut = text.count > width - 2 ? String(text.prefix(width - 3)) + "…" : text
    return cut + String(repeating: " ", count: max(1, width - cut.count))
  }
}
