//! A ladder of short programs, one idea each: see `examples/`.
