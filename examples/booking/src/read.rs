//! The read models: what people ask for, as tables in `read.db` or in PostgreSQL, folded from the events of one service each.

use std::collections::BTreeSet;

use palinode::projection::ApplyError;
use palinode_sagas::SagaRows;

use crate::domain::TripId;

mod cars;
mod dialect;
pub(crate) mod model;
pub(crate) mod pages;
mod rooms;
mod seats;
pub(crate) mod tables;
mod trips;
pub(crate) mod versions;

pub use cars::Cars;
pub use dialect::Dialect;
pub use rooms::RoomNights;
pub use seats::Seats;
use tables::Tables;
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

/// All trips that were ever started.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn known(tables: &Tables) -> Result<BTreeSet<TripId>, ApplyError> {
    ids(tables, "select id from trip").await
}

/// The trips that wait for their guest.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn waiting(tables: &Tables) -> Result<BTreeSet<TripId>, ApplyError> {
    ids(tables, "select id from trip where phase = 'waiting'").await
}

async fn ids(tables: &Tables, sql: &'static str) -> Result<BTreeSet<TripId>, ApplyError> {
    let rows = tables.ask(sql, &[]).await?;
    let id = |row: &tables::Row| row.get::<String>("id").map(|id| id.parse().ok()).transpose();
    rows.iter().filter_map(id).collect()
}
