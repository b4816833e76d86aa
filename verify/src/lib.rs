//! Checkers that share no line with the engine.
