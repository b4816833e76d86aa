//! The read models: what people ask for, as tables in `read.db`, folded from the events of one service each.

use palinode::projection::ApplyError;
use serde::Serialize;
use sqlx::SqliteConnection;

mod cars;
mod rooms;
mod seats;
mod trips;
mod waiting;

pub(crate) use cars::Cars;
pub(crate) use rooms::RoomNights;
pub(crate) use seats::Seats;
pub(crate) use trips::Trips;
pub(crate) use waiting::{Desk, known, open};

/// Writes all rows of a batch by one statement, which reads them as one JSON array.
async fn add(tx: &mut SqliteConnection, sql: &'static str, rows: &impl Serialize) -> Result<(), ApplyError> {
    let rows = serde_json::to_string(rows).map_err(|e| ApplyError::broken(e.to_string()))?;
    sqlx::query(sql).bind(rows).execute(tx).await?;
    Ok(())
}
