//! The read models: what people ask for, as tables in `read.db`, folded from the events of one service each.

use std::{collections::BTreeSet, path::Path, time::Duration};

use palinode::projection::{ApplyError, Sql};
use palinode_sagas::SagaRows;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::TripId;

mod cars;
pub(crate) mod pages;
mod rooms;
mod seats;
mod trips;
pub(crate) mod versions;

pub use cars::Cars;
pub use rooms::RoomNights;
pub use seats::Seats;
pub use trips::Trips;
use versions::Followed;

/// How every trip stands.
pub(crate) const TRIPS: Followed<Trips> = Followed { service: "trip", new: || Trips };
/// Rooms taken.
pub(crate) const ROOMS: Followed<RoomNights> = Followed { service: "hotel", new: || RoomNights };
/// Seats taken.
pub(crate) const SEATS: Followed<Seats> = Followed { service: "flight", new: || Seats };
/// Cars taken.
pub(crate) const CARS: Followed<Cars> = Followed { service: "car", new: || Cars };
/// All sagas, and what they wait for.
pub(crate) const SAGAS: Followed<SagaRows> = Followed { service: "trip", new: || SagaRows };

/// Writes all rows of a batch by one statement, which reads them as one JSON array.
async fn add(tx: &mut SqliteConnection, sql: Sql, rows: &impl Serialize) -> Result<(), ApplyError> {
    let rows = serde_json::to_string(rows).map_err(|e| ApplyError::broken(e.to_string()))?;
    sqlx::query(sql).bind(rows).execute(tx).await?;
    Ok(())
}

/// Opens the read models for reading, beside the node.
///
/// # Errors
/// When they cannot be opened.
pub(crate) fn open(folder: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(folder.join("read.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(Duration::from_secs(5))?;
    Ok(db)
}

/// All trips that were ever started.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn known(db: &Connection) -> rusqlite::Result<BTreeSet<TripId>> {
    ids(db, "select id from trip")
}

/// The trips that wait for their guest.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn waiting(db: &Connection) -> rusqlite::Result<BTreeSet<TripId>> {
    ids(db, "select id from trip where phase = 'waiting'")
}

fn ids(db: &Connection, sql: &str) -> rusqlite::Result<BTreeSet<TripId>> {
    let mut query = db.prepare(sql)?;
    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
    rows.filter_map(|id| id.map(|id| id.parse().ok()).transpose()).collect()
}
