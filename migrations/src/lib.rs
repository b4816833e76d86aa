//! The SQL of Palinode's own tables, as numbered statics, so that it travels inside the published packages.
//!
//! A number means the same thing for every database; a database may skip a number but never reuses one. Files
//! are append-only after a release. This crate depends on nothing and runs nothing.

/// One numbered file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number: unique within a database, and of one meaning across databases.
    pub number: u32,
    /// What it is about, in a few words.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// Tables of the embedded log (`log.db`).
pub const SQLITE_LOG: &[Migration] =
    &[Migration { number: 1, name: "log", sql: include_str!("../sqlite/0001_log.sql") }];

/// The table of one lane's records in `log.db`, made together with the lane: `{lane}` stands for its number.
pub const SQLITE_RECORD: Migration =
    Migration { number: 6, name: "record", sql: include_str!("../sqlite/0006_record.sql") };

/// Tables of everything derived from the log (`read.db`): snapshots, checkpoints, versions and parked keys of projections.
pub const SQLITE_READ: &[Migration] = &[
    Migration { number: 2, name: "snapshots", sql: include_str!("../sqlite/0002_snapshots.sql") },
    Migration { number: 3, name: "checkpoints", sql: include_str!("../sqlite/0003_checkpoints.sql") },
    Migration { number: 4, name: "versions", sql: include_str!("../sqlite/0004_versions.sql") },
    Migration { number: 5, name: "parked", sql: include_str!("../sqlite/0005_parked.sql") },
    Migration { number: 7, name: "shards", sql: include_str!("../sqlite/0007_shards.sql") },
];

/// The same tables in PostgreSQL.
pub const POSTGRES_READ: &[Migration] = &[
    Migration { number: 2, name: "snapshots", sql: include_str!("../postgres/0002_snapshots.sql") },
    Migration { number: 3, name: "checkpoints", sql: include_str!("../postgres/0003_checkpoints.sql") },
    Migration { number: 4, name: "versions", sql: include_str!("../postgres/0004_versions.sql") },
    Migration { number: 5, name: "parked", sql: include_str!("../postgres/0005_parked.sql") },
    Migration { number: 7, name: "shards", sql: include_str!("../postgres/0007_shards.sql") },
];
