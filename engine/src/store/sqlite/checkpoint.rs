//! Checkpoints in SQLite.
