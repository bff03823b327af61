import LockjawModel

/// Words for what an operation was; they are part of the JSON contract.
extension RecordedOperation.Kind {
  package var word: String {
    switch self {
    case .acquire: "acquire"
    case .release: "release"
    case .releaseFailed: "release-failed"
    case .tryFailed: "try-failed"
    case .waitBegin: "wait-begin"
    case .waitEnd: "wait-end"
    case .signal: "signal"
    case .broadcast: "broadcast"
    case .initialise: "initialise"
    case .destroy: "destroy"
    }
  }

  package init?(word: String) {
    guard let kind = Self.allCases.first(where: { $0.word == word }) else { return nil }
    self = kind
  }
}
