//! Snapshots and checkpoints in a map.
