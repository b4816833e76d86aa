//! Snapshots and checkpoints in SQLite.
