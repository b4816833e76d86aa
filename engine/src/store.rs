//! Where derived state is kept: snapshots and checkpoints, one adapter a database.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod driver;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(any(feature = "sqlite", all(feature = "kafka", feature = "postgres")))]
mod observed;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sums;

#[cfg(any(feature = "sqlite", all(feature = "kafka", feature = "postgres")))]
pub(crate) use observed::observed;
