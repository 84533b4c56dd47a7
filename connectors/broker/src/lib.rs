//! A seeded broker: books and feeds for replays, tests and benchmarks.
