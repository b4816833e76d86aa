//! Where derived state is kept: snapshots and checkpoints, one adapter a database.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;
