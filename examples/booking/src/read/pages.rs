//! Queries on the read models, for pages of a list: each begins after a key and reads a bounded number of rows.

use palinode::projection::ApplyError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tables::{
    Arg::{self, Maybe, Number, Text},
    Row, Tables,
};
use crate::{domain::TripId, saga::BOOK_TRIP};

/// Trips looked at for one page of those that stand in one way.
const LOOKED_AT: i64 = 5_000;

const TRIP: &str = "select id, outcome, refused_at, began_us, ended_us from trip_outcome where id = $1";

const TRIPS: &str = "select id, outcome, refused_at, began_us, ended_us from
  (select * from trip_outcome where id > $1 order by id limit $2) as page where cast($3 as text) is null or outcome = $3 limit $4";

/// The last of the trips that a page looked at, when all that may be looked at were there.
const REACHED: &str = "select id from trip where id > $1 order by id limit 1 offset $2";

const ROOMS: &str = "select room, night, taken from room_night
  where (room, night) > ($1, $2) order by room, night limit $3";

const ROOMS_OF: &str = "select room, night, taken from room_night
  where room = $4 and (room, night) > ($1, $2) order by room, night limit $3";

const SEATS: &str = "select flight, taken from seat where flight > $1 order by flight limit $2";

const SAGAS: &str = "select * from palinode_saga
  where service = 'trip' and id > $1 and definition = $2 order by service, id limit $3";

/// No other service has sagas; with `service = ..` instead, SQLite takes the primary key and reads all of them.
const SAGAS_THAT: &str = "select * from palinode_saga
  where status = $4 and definition = $2 and (service, id) > ('trip', $1) order by service, id limit $3";

/// How a trip stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TripStatus {
    /// Something is asked
    Running,
    /// It waits for its guest
    Waiting,
    /// It is taken back
    Undoing,
    /// A person must decide
    Stuck,
    /// It is set aside
    Parked,
    /// The end: booked
    Completed,
    /// The end: refused somewhere, and taken back
    Compensated,
    /// The end: cancelled by the guest, and taken back
    Cancelled,
    /// The end: its guest never answered, and it was taken back
    Expired,
    /// The end: stopped by a person
    Killed,
}

/// A trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TripRow {
    /// Its id
    #[schema(value_type = String)]
    pub(crate) id: TripId,
    /// How it stands
    pub(crate) status: TripStatus,
    /// The step that was refused
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused_at: Option<String>,
    /// When it began, in microseconds since 1970
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) began_us: Option<i64>,
    /// When it came to its end
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_us: Option<i64>,
}

/// The rooms of one type in one night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RoomRow {
    /// The room type: hotel/letter
    pub(crate) room: String,
    /// The night
    pub(crate) night: String,
    /// How many are taken
    pub(crate) taken: i64,
}

/// The seats of one flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SeatRow {
    /// The flight: from-to/day
    pub(crate) flight: String,
    /// How many are taken
    pub(crate) taken: i64,
}

/// Where a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SagaStatus {
    /// Set aside before it began
    None,
    /// Before the payment
    Forward,
    /// The payment is asked
    Committing,
    /// It is paid
    Finishing,
    /// It is taken back
    Undoing,
    /// A person must decide
    Stuck,
    /// The end: everything was done
    Completed,
    /// The end: everything was taken back
    Compensated,
    /// The end: stopped by a person
    Killed,
}

/// A saga, as whoever runs it sees it: one for each trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SagaRow {
    /// The trip's id
    pub(crate) id: String,
    /// The version of its definition
    pub(crate) version: Option<i64>,
    /// Where it stands
    pub(crate) status: SagaStatus,
    /// Why it is set aside
    pub(crate) parked: Option<String>,
    /// Who let it stand still, and why
    pub(crate) paused: Option<String>,
    /// Who killed it, and why
    pub(crate) killed: Option<String>,
    /// The nodes of which something may stand that nobody takes back
    pub(crate) leaks: Option<String>,
    /// Nodes closed by a person instead of by an outcome
    pub(crate) exceptions: i64,
    /// The nodes that are open now
    pub(crate) node: Option<String>,
    /// What each of them waits for
    pub(crate) waiting_for: Option<String>,
    /// Since when the oldest of them waits, in microseconds since 1970
    pub(crate) waiting_since_us: Option<i64>,
    /// When the first of them ends without it
    pub(crate) waiting_until_us: Option<i64>,
    /// Asks made so far
    pub(crate) attempts: i64,
    /// Those that were made again
    pub(crate) retries: i64,
    /// The text of the last refusal or failure
    pub(crate) last_error: Option<String>,
    /// Why it is taken back
    pub(crate) why: Option<String>,
    /// The node that turned it back
    pub(crate) why_node: Option<String>,
}

/// One trip.
///
/// # Errors
/// When the tables cannot be read.
pub(crate) async fn trip(tables: &Tables, id: TripId) -> Result<Option<TripRow>, ApplyError> {
    let found = tables.ask(TRIP, &[Text(&id.to_string())]).await?;
    found.first().map(trip_row).transpose()
}

/// Trips by id, beginning after this one; and where the next page begins, if there may be one.
///
/// # Errors
/// When the tables cannot be read.
pub(crate) async fn trips(
    tables: &Tables,
    status: Option<TripStatus>,
    limit: u32,
    after: Option<TripId>,
) -> Result<(Vec<TripRow>, Option<TripId>), ApplyError> {
    let looked_at = status.map_or(i64::from(limit), |_| LOOKED_AT);
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let status = status.map(word).transpose()?;
    let page = [Text(&after), Number(looked_at), Maybe(status.as_deref()), Number(limit.into())];
    let rows = tables.ask(TRIPS, &page).await?;
    let rows = rows.iter().map(trip_row).collect::<Result<Vec<_>, _>>()?;
    if usize::try_from(limit).is_ok_and(|limit| rows.len() >= limit) {
        let next = rows.last().map(|row| row.id);
        return Ok((rows, next));
    }
    let reached = tables.ask(REACHED, &[Text(&after), Number(looked_at - 1)]).await?;
    let reached: Option<String> = reached.first().map(|row| row.get("id")).transpose()?;
    Ok((rows, reached.and_then(|id| id.parse().ok())))
}

/// Nights by room type, beginning after this one; of one room type only, when it is named.
///
/// # Errors
/// When the tables cannot be read.
pub(crate) async fn rooms(
    tables: &Tables,
    room: Option<&str>,
    limit: u32,
    after: (&str, &str),
) -> Result<Vec<RoomRow>, ApplyError> {
    let page = [Text(after.0), Text(after.1), Number(limit.into())];
    let rows = match room {
        Some(room) => tables.ask(ROOMS_OF, &with(page, room)).await?,
        None => tables.ask(ROOMS, &page).await?,
    };
    let read = |row: &Row| {
        let (room, night, taken) = (row.get("room")?, row.get("night")?, row.get("taken")?);
        Ok(RoomRow { room, night, taken })
    };
    rows.iter().map(read).collect()
}

/// Flights by name, beginning after this one.
///
/// # Errors
/// When the tables cannot be read.
pub(crate) async fn seats(tables: &Tables, limit: u32, after: &str) -> Result<Vec<SeatRow>, ApplyError> {
    let rows = tables.ask(SEATS, &[Text(after), Number(limit.into())]).await?;
    let read = |row: &Row| Ok(SeatRow { flight: row.get("flight")?, taken: row.get("taken")? });
    rows.iter().map(read).collect()
}

/// Sagas by id, beginning after this one.
///
/// # Errors
/// When the tables cannot be read.
pub(crate) async fn sagas(
    tables: &Tables,
    status: Option<SagaStatus>,
    limit: u32,
    after: &str,
) -> Result<Vec<SagaRow>, ApplyError> {
    let page = [Text(after), Text(BOOK_TRIP), Number(limit.into())];
    let rows = match status {
        Some(status) => tables.ask(SAGAS_THAT, &with(page, &word(status)?)).await?,
        None => tables.ask(SAGAS, &page).await?,
    };
    rows.iter().map(saga_row).collect()
}

fn trip_row(row: &Row) -> Result<TripRow, ApplyError> {
    let id: String = row.get("id")?;
    Ok(TripRow {
        id: id.parse().map_err(|e| ApplyError::broken(format!("{e}")))?,
        status: of_word(row, "outcome")?,
        refused_at: row.get("refused_at")?,
        began_us: row.get("began_us")?,
        ended_us: row.get("ended_us")?,
    })
}

fn saga_row(row: &Row) -> Result<SagaRow, ApplyError> {
    Ok(SagaRow {
        id: row.get("id")?,
        version: row.get("version")?,
        status: of_word(row, "status")?,
        parked: row.get("parked")?,
        paused: row.get("paused")?,
        killed: row.get("killed")?,
        leaks: row.get("leaks")?,
        exceptions: row.get("exceptions")?,
        node: row.get("node")?,
        waiting_for: row.get("waiting_for")?,
        waiting_since_us: row.get("waiting_since")?,
        waiting_until_us: row.get("waiting_until")?,
        attempts: row.get("attempts")?,
        retries: row.get("retries")?,
        last_error: row.get("last_error")?,
        why: row.get("why")?,
        why_node: row.get("why_node")?,
    })
}

/// A page of what has this value in one column.
fn with<'a>(page: [Arg<'a>; 3], value: &'a str) -> [Arg<'a>; 4] {
    let [a, b, c] = page;
    [a, b, c, Text(value)]
}

/// The word for a status, as its column has it.
fn word(status: impl Serialize) -> Result<String, ApplyError> {
    Ok(serde_json::from_value(serde_json::to_value(status)?)?)
}

/// The status of a row.
fn of_word<T: for<'a> Deserialize<'a>>(row: &Row, column: &str) -> Result<T, ApplyError> {
    let word: String = row.get(column)?;
    Ok(serde_json::from_value(word.into())?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use palinode_sagas::SagaRows;
    use sqlx::Row as _;

    use super::*;
    use crate::{place::Place, services::Services};

    #[tokio::test(flavor = "multi_thread")]
    async fn every_page_is_one_range_of_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path().to_owned(), None, None);
        let services =
            Services::start(&place, Duration::from_secs(1), palinode::Limits::default()).await.unwrap();
        services.node().unwrap().project("trip", SagaRows).await.unwrap();
        let db = services.node().unwrap().read_db().unwrap().readers();
        for (sql, range) in [
            (TRIP, "trip_v1 USING PRIMARY KEY (id=?)"),
            (TRIPS, "trip_v1 USING PRIMARY KEY (id>?)"),
            (REACHED, "trip_v1 USING PRIMARY KEY (id>?)"),
            (ROOMS, "room_night_v1 USING PRIMARY KEY ((room,night)>(?,?))"),
            (ROOMS_OF, "room_night_v1 USING PRIMARY KEY (room=?"),
            (SEATS, "seat_v1 USING PRIMARY KEY (flight>?)"),
            (SAGAS, "USING PRIMARY KEY (service=? AND id>?"),
            (SAGAS_THAT, "_status (status=? AND definition=? AND (service,id)>(?,?))"),
        ] {
            let explain = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
            let rows = sqlx::query(explain).fetch_all(db).await.unwrap();
            let plan = rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n");
            assert!(plan.contains("SEARCH ") && plan.contains(range), "{sql}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "sorted by hand: {sql}\n{plan}");
        }
        services.stop().await;
    }
}
