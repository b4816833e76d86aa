//! The other read models as lists: rooms, seats, sagas.

use axum::{Json, extract::State};
use palinode::{projection::ApplyError, telemetry::Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    openapi::{Awaited, OfQuery},
    problem::{Kind, Problem},
    query::{self, Asked},
    token::After,
    traced,
};
use crate::{
    domain::capacity::capacity,
    read::pages::{self, RoomRow, SagaRow, SagaStatus, SeatRow},
};

const ROOMS: Query = Query::of("SELECT", "room_night");
const SEATS: Query = Query::of("SELECT", "seat");
const SAGAS: Query = Query::of("SELECT", "palinode_saga");

impl From<ApplyError> for Problem {
    fn from(e: ApplyError) -> Self {
        Self::of(Kind::ReadModelAway, e.to_string())
    }
}

/// What `GET /rooms` is asked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoomsQuery {
    /// Only nights of this room type: hotel/letter
    room: Option<String>,
    /// So many at most
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Those after this night: `next` of the page before
    #[param(pattern = "^[a-z]+/[A-Z]@[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    after: Option<String>,
}

/// Nights by room type, a page.
#[derive(Serialize, ToSchema)]
pub(super) struct Rooms {
    /// The nights in which a room was ever taken
    nights: Vec<Night>,
    /// There may be more, after this one
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A night of a room type.
#[derive(Serialize, ToSchema)]
pub(super) struct Night {
    #[serde(flatten)]
    row: RoomRow,
    /// How many rooms there are
    rooms: u32,
}

/// Lists how many rooms are taken, by room type and night.
#[utoipa::path(get, path = "/rooms", tag = "read models", params(RoomsQuery, Awaited),
    responses((status = 200, description = "a page", body = Rooms), OfQuery))]
pub(super) async fn rooms(
    State(app): State<App>,
    Asked(asked): Asked<RoomsQuery>,
    wanted: After,
) -> Result<Json<Rooms>, Problem> {
    let limit = query::limit(asked.limit)?;
    let after = asked.after.as_deref().map(|after| after.split_once('@').ok_or_else(|| bad_after(after)));
    let after = after.transpose()?.unwrap_or_default();
    wanted.seen_by(&app.services().rooms_model).await?;
    let page = pages::rooms(app.tables(), asked.room.as_deref(), limit, after);
    let rows = traced::asked(&app, ROOMS, page).await?;
    let next = full(&rows, limit).map(|last| format!("{}@{}", last.room, last.night));
    let nights = rows.into_iter().map(|row| Night { rooms: capacity(&row.room), row }).collect();
    Ok(Json(Rooms { nights, next }))
}

/// What `GET /seats` is asked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SeatsQuery {
    /// So many at most
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Those after this flight: `next` of the page before
    after: Option<String>,
}

/// Flights by name, a page.
#[derive(Serialize, ToSchema)]
pub(super) struct Seats {
    /// The flights
    flights: Vec<SeatRow>,
    /// There may be more, after this one
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists how many seats are taken, by flight.
#[utoipa::path(get, path = "/seats", tag = "read models", params(SeatsQuery, Awaited),
    responses((status = 200, description = "a page", body = Seats), OfQuery))]
pub(super) async fn seats(
    State(app): State<App>,
    Asked(asked): Asked<SeatsQuery>,
    wanted: After,
) -> Result<Json<Seats>, Problem> {
    let limit = query::limit(asked.limit)?;
    wanted.seen_by(&app.services().seats_model).await?;
    let page = pages::seats(app.tables(), limit, asked.after.as_deref().unwrap_or_default());
    let flights = traced::asked(&app, SEATS, page).await?;
    let next = full(&flights, limit).map(|last| last.flight.clone());
    Ok(Json(Seats { flights, next }))
}

/// What `GET /sagas` is asked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SagasQuery {
    /// Only those that stand so
    status: Option<SagaStatus>,
    /// So many at most
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Those after this id: `next` of the page before
    after: Option<String>,
}

/// Sagas by id, a page.
#[derive(Serialize, ToSchema)]
pub(super) struct Sagas {
    /// The sagas
    sagas: Vec<SagaRow>,
    /// There may be more, after this one
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Lists sagas with what each of them waits for.
#[utoipa::path(get, path = "/sagas", tag = "read models", params(SagasQuery, Awaited),
    responses((status = 200, description = "a page", body = Sagas), OfQuery))]
pub(super) async fn sagas(
    State(app): State<App>,
    Asked(asked): Asked<SagasQuery>,
    wanted: After,
) -> Result<Json<Sagas>, Problem> {
    let limit = query::limit(asked.limit)?;
    wanted.seen_by(app.sagas_model()).await?;
    let after = asked.after.as_deref().unwrap_or_default();
    let page = pages::sagas(app.tables(), asked.status, limit, after);
    let sagas = traced::asked(&app, SAGAS, page).await?;
    let next = full(&sagas, limit).map(|last| last.id.clone());
    Ok(Json(Sagas { sagas, next }))
}

/// The last row of a full page: there may be more after it.
fn full<T>(rows: &[T], limit: u32) -> Option<&T> {
    if usize::try_from(limit).is_ok_and(|limit| rows.len() >= limit) { rows.last() } else { None }
}

fn bad_after(after: &str) -> Problem {
    let detail = format!("{after:?} is no night: it is `next` of another page, like resort/A@2030-01-12");
    Problem::of(Kind::InvalidParameter, detail).at("query after")
}
