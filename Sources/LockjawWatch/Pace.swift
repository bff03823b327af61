/// How long a collector rests between passes: a quiet program is seen at once, a contended one is not chased.
///
/// Rules: the first wait after quiet is answered at once. While every look finds other waits, rests double from 1 ms
/// to 8 ms; the bell stays unarmed meanwhile, so that a contended program makes no system call for the collector.
/// The first look without a change ends it.
struct Pace {
  private(set) var restMilliseconds = 0
  static let shortest = 1
  static let longest = 8

  mutating func sawChange() {
    restMilliseconds = restMilliseconds == 0 ? Self.shortest : min(restMilliseconds * 2, Self.longest)
  }

  mutating func sawNone() { restMilliseconds = 0 }
}
