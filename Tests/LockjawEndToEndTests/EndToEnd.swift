import Testing

/// Everything that runs samples, one program at a time: they are there to be measured against a clock (two seconds of
/// stall, a thousand threads), and would only disturb each other.
@Suite(.serialized) enum EndToEnd {}
