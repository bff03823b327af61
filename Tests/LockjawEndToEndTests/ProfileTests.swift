import Foundation
import Testing

extension EndToEnd {
  /// What levels `sites` and `all` recorded, as the commands tell it, held against programs that count for themselves.
  @Suite struct Profiles {
    private let place = TemporaryPlace()

    private func lockjaw(_ arguments: String..., environment: [String: String] = [:]) throws -> ChildProcess {
      try ChildProcess([Checkout.lockjaw.path] + arguments, environment: place.environment.merging(environment) { $1 })
    }

    /// Two classes of mutexes made in one place each, a static rwlock, a thread that waits. It prints how often each was
    /// taken on which line, and then ends, or stays.
    private static let source = """
      #include <pthread.h>
      #include <stdio.h>
      #include <stdlib.h>
      #include <unistd.h>
      enum { SHARDS = 8 };
      static pthread_mutex_t shards[SHARDS], journal;
      static pthread_rwlock_t config = PTHREAD_RWLOCK_INITIALIZER;
      static long put_count, read_count, flush_count;
      static void make(void) {
        for (int i = 0; i < SHARDS; i++) pthread_mutex_init(&shards[i], NULL);  // line 10
        pthread_mutex_init(&journal, NULL);                                     // line 11
      }
      static void put(int i) {
        pthread_mutex_lock(&shards[i]);  // line 14
        put_count++;
        pthread_mutex_unlock(&shards[i]);
      }
      static void look(void) {
        pthread_rwlock_rdlock(&config);  // line 19
        read_count++;
        pthread_rwlock_unlock(&config);
      }
      static void *flush(void *unused) {
        pthread_mutex_lock(&journal);  // line 24
        flush_count++;
        pthread_mutex_unlock(&journal);
        return unused;
      }
      int main(int argc, char **argv) {
        make();
        int turns = atoi(argv[1]);
        for (int i = 0; i < turns; i++) {
          put(i % SHARDS);
          if (i % 3 == 0) look();
        }
        pthread_t waiting;
        pthread_mutex_lock(&journal);  // line 37
        pthread_create(&waiting, NULL, flush, NULL);
        usleep(20000);
        if (argc > 2) printf("put %ld read %ld\\n", put_count, read_count), fflush(stdout), pause();
        pthread_mutex_unlock(&journal);
        pthread_join(waiting, NULL);
        printf("put %ld read %ld flush %ld\\n", put_count, read_count, flush_count);
      }
      """

    private func program() async throws -> String {
      let source = place.path("counting.c")
      let binary = place.path("counting")
      try Self.source.write(toFile: source, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess(["/usr/bin/gcc", "-g", "-O1", "-fno-inline", "-pthread", source, "-o", binary])
      #expect(try await compiler.ending(within: .seconds(60)) == .exit(0), "\(compiler.output)")
      return binary
    }

    private struct Document: Decodable {
      struct Tally: Decodable {
        var operations, waits: UInt64
        var timedHolds: UInt64
        var waitSeconds: Double
        var waitingNow: Int
        var waitingNowSeconds: Double
      }
      struct Frame: Decodable {
        var function: String?
        var line: Int?
      }
      struct Site: Decodable {
        var at: Frame?
        var tally: Tally
      }
      struct Class: Decodable {
        var type, origin: String
        var at: Frame?
        var lockCount: Int
        var names: [String]
        var tally: Tally
        var sites: [Site]
      }
      struct Section: Decodable {
        var classes: [Class]
        var omittedClasses: Int
        var tally: Tally
      }
      struct Profile: Decodable {
        var level: String
        var locks, signals: Section
      }
      var verdict: String
      var profile: Profile?
    }

    private func document(_ text: String) throws -> Document {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      return try decoder.decode(Document.self, from: Data(text.utf8))
    }

    private func check(_ document: Document, turns: UInt64, isWaiting: Bool) throws {
      let locks = try #require(document.profile).locks
      func one(_ line: Int) throws -> Document.Class {
        try #require(locks.classes.first { $0.at?.line == line }, "no class of line \(line): \(locks.classes)")
      }
      let shards = try one(10)
      let journal = try one(11)
      let config = try one(19)
      #expect(shards.type == "mutex" && shards.origin == "initialised" && shards.lockCount == 8)
      #expect(shards.tally.operations == turns && shards.sites.map { $0.at?.line } == [14])
      #expect(shards.names.first == "shards[0]")
      // One hold in 64 on average, chosen at random between 32 and 95 apart.
      #expect((turns / 96...turns / 32).contains(shards.tally.timedHolds), "\(shards.tally.timedHolds)")
      #expect(config.type == "rwlock" && config.origin == "first-used" && config.lockCount == 1)
      #expect(config.tally.operations == (turns + 2) / 3)
      #expect(Set(journal.sites.map { $0.at?.line }) == [24, 37])
      #expect(journal.tally.operations == (isWaiting ? 1 : 2))
      #expect(journal.tally.waitingNow == (isWaiting ? 1 : 0) && journal.tally.waits == (isWaiting ? 0 : 1))
      if !isWaiting { #expect(journal.tally.waitSeconds > 0.001) }
      // What a killed process waited for then began with the last thing it recorded.
      if journal.tally.waitSeconds + journal.tally.waitingNowSeconds > 0 {
        #expect(locks.classes.first?.at?.line == 11, "the most waited-for comes first")
      }
      #expect(locks.tally.operations == turns + (turns + 2) / 3 + journal.tally.operations)
    }

    @Test(
      "run at levels sites and all tells exact counts by class and line at the end, and keeps the arena for analyze",
      arguments: ["sites", "all"])
    func runAndAnalyze(level: String) async throws {
      let program = try await program()
      let report = place.path("report.json")
      let kept = place.path("kept")
      let run = try lockjaw(
        "run", "--record", level, "--format", "json", "-o", report, "--capture", kept, "--", program, "9600")
      #expect(try await run.ending(within: .seconds(60)) == .exit(0))
      #expect(run.output.contains("put 9600 read 3200 flush 1\n"), "\(run.output)")
      try check(document(try String(contentsOfFile: report, encoding: .utf8)), turns: 9600, isWaiting: false)
      #expect(place.arenas.isEmpty, "\(place.arenas)")

      let analyze = try lockjaw("analyze", "--format", "json", kept)
      #expect(try await analyze.ending(within: .seconds(60)) == .exit(0), "\(analyze.output)")
      try check(document(analyze.output), turns: 9600, isWaiting: false)
      let brief = try lockjaw("analyze", "--format", "json", "--profile", "1", kept)
      _ = try await brief.ending(within: .seconds(60))
      let locks = try #require(try document(brief.output).profile).locks
      #expect(locks.classes.count == 1 && locks.omittedClasses == 2 && locks.tally.operations == 9600 + 3200 + 2)
    }

    @Test(
      "An arena stays after a good end where LOCKJAW_KEEP=1 asks for it, and no other value does",
      arguments: [("1", 1), ("0", 0), ("maybe", 0), ("", 0)], ["state", "sites"])
    func kept(asked: (value: String, arenas: Int), level: String) async throws {
      let arenas = try ScratchDirectory(in: "/dev/shm")
      let run = try lockjaw(
        "run", "--record", level, "--", "/bin/true",
        environment: ["LOCKJAW_DIR": arenas.url.path, "LOCKJAW_KEEP": asked.value])
      #expect(try await run.ending(within: .seconds(60)) == .exit(0), "\(run.output)")
      let left = try FileManager.default.contentsOfDirectory(atPath: arenas.url.path)
      #expect(left.filter { $0.hasSuffix(".arena") }.count == asked.arenas, "\(left)")
    }

    @Test("run --record sites prints the profile of a program in which nothing was found; without it, nothing")
    func printed() async throws {
      let program = try await program()
      let run = try lockjaw("run", "--record", "sites", "--", program, "96")
      #expect(try await run.ending(within: .seconds(60)) == .exit(0))
      for said in ["HEALTHY", "Locks, by time waited", "130 acquisitions of 10 locks", "initialised in make()"] {
        #expect(run.output.contains(said), "\(said) is not in\n\(run.output)")
      }
      let plain = try lockjaw("run", "--", program, "96")
      #expect(try await plain.ending(within: .seconds(60)) == .exit(0))
      #expect(plain.output == "put 96 read 32 flush 1\n")
    }

    @Test(
      "attach tells the counts of a program that runs on, a wait that goes on among them; so does analyze of a killed one"
    )
    func attach() async throws {
      let child = try ChildProcess(
        [try await program(), "960", "stay"],
        environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path, "LOCKJAW_RECORD": "sites"]) { $1 })
      let says = try await firstValue(within: .seconds(30)) { child.output.contains("put 960") ? true : nil }
      #expect(says == true, "\(child.output)")
      // The other thread may still be on its way to the journal.
      let attached = try #require(
        try await firstValue(within: .seconds(30)) { () -> Document? in
          let look = Process()
          look.executableURL = Checkout.lockjaw
          look.arguments = ["attach", "--format", "json", "-o", place.path("attached.json"), "\(child.pid)"]
          look.environment = ProcessInfo.processInfo.environment.merging(place.environment) { $1 }
          try look.run()
          look.waitUntilExit()
          let found = try document(try String(contentsOfFile: place.path("attached.json"), encoding: .utf8))
          return found.profile?.locks.classes.contains { $0.tally.waitingNow == 1 } == true ? found : nil
        })
      #expect(attached.verdict == "contention")
      try check(attached, turns: 960, isWaiting: true)

      try await child.stop()
      let analyze = try lockjaw("analyze", "--format", "json", try #require(place.arenas.first))
      _ = try await analyze.ending(within: .seconds(60))
      try check(document(analyze.output), turns: 960, isWaiting: true)
    }

    @Test("At level all, a deadlock's report has the last operations of its threads, on their lines")
    func flightRecorder() async throws {
      let sample = Sample(
        source: try #require(Sample.sources.first { $0.key == "c/abba" }), level: .unoptimised)
      let truth = try sample.prepared()
      let report = place.path("report.json")
      let run = try lockjaw(
        "run", "--record", "all", "--on-hang", "kill", "--format", "json", "-o", report, "--", sample.executable.path)
      #expect(try await run.ending(within: .seconds(60)) == .exit(99))
      struct Threads: Decodable {
        struct Operation: Decodable {
          var operation, type: String
          var secondsAgo: Double
          var site: Document.Frame?
        }
        struct Thread: Decodable {
          var name: String
          var operations: [Operation]?
          var operationsLost: UInt64?
        }
        var threads: [Thread]
      }
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      let threads = try decoder.decode(Threads.self, from: Data(contentsOf: URL(filePath: report))).threads
      for name in ["alice", "bob"] {
        let thread = try #require(threads.first { $0.name == name })
        let operations = try #require(thread.operations)
        #expect(operations.map(\.operation) == ["wait-begin", "wait-end", "wait-begin", "acquire"])
        #expect(operations.map(\.type) == ["mutex", "barrier", "barrier", "mutex"])
        #expect(operations.first?.site?.line == truth.waits.first { $0.thread == name }?.line)
        #expect(operations.last?.site?.line == truth.holds.first { $0.thread == name }?.line)
        #expect(operations.map(\.secondsAgo) == operations.map(\.secondsAgo).sorted())
        #expect(thread.operationsLost == 0)
      }
    }
  }
}
