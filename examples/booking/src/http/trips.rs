//! Trips: to be booked, looked at, confirmed, cancelled.

use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use palinode::{Answer, Clock, Ids, Receipt, SystemClock, SystemIds, telemetry::Query};
use palinode_sagas::{
    client::{No, Signalled},
    state::Phase,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    body,
    form::TripForm,
    openapi::{Awaited, Keyed, OfQuery, OfVerb, OfWrite, TripPath},
    problem::{Details, Kind, Problem},
    query::{self, Asked, Named},
    token::{self, After, TOKEN},
    traced, within,
};
use crate::{
    domain::TripId,
    read::pages::{self, TripRow, TripStatus},
    saga::Confirmed,
    trips::id,
};

/// How long an answer may take before it counts as unknown.
const ANSWERS: Duration = Duration::from_secs(10);
/// The longest Idempotency-Key, in bytes.
const LONGEST_KEY: usize = 255;
/// What is asked for trips.
const TRIPS: Query = Query::of("SELECT", "trip_outcome");
/// What the guest of a trip signals by: the same again is heard once.
const GUEST: &str = "guest";

/// A trip that will be booked, or taken back.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    /// The trip
    #[schema(value_type = String)]
    id: TripId,
}

/// What became of a guest's word.
#[derive(Serialize, ToSchema)]
pub(super) struct Heard {
    /// The trip
    #[schema(value_type = String)]
    id: TripId,
    /// A confirmation is taken, buffered until the trip waits for it, a duplicate, or kept without effect because the trip
    /// is taken back; a cancellation is undoing, or waiting for the payment, whose outcome decides
    outcome: &'static str,
}

/// Books a trip.
///
/// It is accepted once its start is durable; then it will be booked or taken back whatever happens. The same id, or the
/// same Idempotency-Key, with the same body has the same answer for ever.
#[utoipa::path(
    post, path = "/trips", tag = "trips", request_body = TripForm,
    params(Keyed),
    responses(
        (status = 202, description = "accepted", body = Accepted, headers(
            ("Palinode-Token" = String, description = "send it along to see the trip"),
            ("Palinode-Trace" = Option<String>, description = "where its trace is seen, when the server was told"),
            ("Location" = String, description = "the trip"))),
        OfWrite))]
pub(super) async fn book(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = key(&headers)?;
    let form: TripForm = body::json(&headers, body, app.limits().patience).await?;
    let id = match (key, form.id) {
        (None, Some(id)) => id,
        (Some(key), None) => id::of_key(key),
        (None, None) => id::of_fresh(SystemIds.fresh(SystemClock.now())),
        (Some(_), Some(id)) => {
            let detail = "it has an id and an Idempotency-Key";
            return Err(Problem::of(Kind::TwoIds, detail).at("body id, header Idempotency-Key").about(id));
        }
    };
    traced::about(id);
    let started = settled(id, app.trips().start(id.to_string(), form.trip(id)?)).await?;
    match started {
        Ok(receipt) => {
            let mut response = accepted(&receipt, &Accepted { id });
            if let Ok(place) = HeaderValue::from_str(&format!("/trips/{id}")) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            response.headers_mut().extend(traced::link(&app, id));
            Ok(response)
        }
        Err(no) => Err(Problem::of(Kind::KeyReused, no.reply.to_string()).about(id).with(&no.token)),
    }
}

/// Shows a trip.
#[utoipa::path(
    get, path = "/trips/{id}", tag = "trips", params(TripPath, Awaited),
    responses(
        (status = 200, description = "how it stands", body = TripRow, headers(
            ("Palinode-Trace" = Option<String>, description = "where its trace is seen, when the server was told"))),
        (status = 404, description = "no-such-trip", body = Details<'static>, content_type = "application/problem+json"),
        OfQuery))]
pub(super) async fn show(
    State(app): State<App>,
    Named(id): Named,
    after: After,
) -> Result<Response, Problem> {
    traced::about(id);
    after.seen_by(&app.services().trips_model).await?;
    let found =
        traced::asked(&app, TRIPS, pages::trip(app.tables(), id)).await?.ok_or_else(|| no_such(id))?;
    let mut response = Json(found).into_response();
    response.headers_mut().extend(traced::link(&app, id));
    Ok(response)
}

/// What `GET /trips` is asked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TripsQuery {
    /// Only those that stand so
    status: Option<TripStatus>,
    /// So many at most
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Those after this id: `next` of the page before
    #[param(pattern = "^[0-9a-f]{16}$")]
    after: Option<String>,
}

/// Trips by id, a page.
#[derive(Serialize, ToSchema)]
pub(super) struct Trips {
    /// The trips
    trips: Vec<TripRow>,
    /// There are more, after this id; the page may be short, or empty, all the same
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<TripId>,
}

/// Lists trips by id, a page at a time.
#[utoipa::path(
    get, path = "/trips", tag = "trips", params(TripsQuery, Awaited),
    responses((status = 200, description = "a page", body = Trips), OfQuery))]
pub(super) async fn list(
    State(app): State<App>,
    Asked(asked): Asked<TripsQuery>,
    wanted: After,
) -> Result<Json<Trips>, Problem> {
    let limit = query::limit(asked.limit)?;
    let after = asked.after.map(|id| query::trip(&id, "query after")).transpose()?;
    wanted.seen_by(&app.services().trips_model).await?;
    let page = pages::trips(app.tables(), asked.status, limit, after);
    let (trips, next) = traced::asked(&app, TRIPS, page).await?;
    Ok(Json(Trips { trips, next }))
}

/// The guest confirms.
#[utoipa::path(
    post, path = "/trips/{id}/confirm", tag = "trips", params(TripPath),
    responses(
        (status = 202, description = "heard", body = Heard,
            headers(("Palinode-Token" = String, description = "send it along to see what follows"))),
        OfVerb))]
pub(super) async fn confirm(State(app): State<App>, Named(id): Named) -> Result<Response, Problem> {
    traced::about(id);
    let guest = app.trips().at(id.to_string());
    let receipt =
        settled(id, guest.signal_once(GUEST, Confirmed {})).await?.map_err(|no| refused(id, &no))?;
    let outcome = match receipt.reply {
        Signalled::Taken => "taken",
        Signalled::Buffered => "buffered",
        Signalled::Duplicate => "duplicate",
        _ => "kept",
    };
    Ok(accepted(&receipt, &Heard { id, outcome }))
}

/// The guest cancels.
#[utoipa::path(
    post, path = "/trips/{id}/cancel", tag = "trips", params(TripPath),
    responses(
        (status = 202, description = "heard", body = Heard,
            headers(("Palinode-Token" = String, description = "send it along to see what follows"))),
        OfVerb))]
pub(super) async fn cancel(State(app): State<App>, Named(id): Named) -> Result<Response, Problem> {
    traced::about(id);
    let guest = app.trips().at(id.to_string());
    let receipt =
        settled(id, guest.cancel("guest", "the guest cancelled")).await?.map_err(|no| refused(id, &no))?;
    let outcome = match receipt.reply.phase {
        Phase::Undoing | Phase::Compensated => "undoing",
        _ => "waiting",
    };
    Ok(accepted(&receipt, &Heard { id, outcome }))
}

/// The receipt of a yes or of a definite no; every other end is a problem.
async fn settled<R, N>(
    trip: TripId,
    answer: impl Future<Output = Answer<R, N>>,
) -> Result<Result<Receipt<R>, Receipt<N>>, Problem> {
    let problem = match within(ANSWERS, answer).await {
        Some(Answer::Accepted(receipt)) => return Ok(Ok(receipt)),
        Some(Answer::Rejected(receipt)) => return Ok(Err(receipt)),
        Some(Answer::Overloaded) => Problem::of(Kind::Overloaded, "the shard's queue is full"),
        Some(Answer::Parked { why }) => Problem::of(Kind::TripParked, &*why),
        Some(Answer::Invalid(why)) => Problem::of(Kind::Bug, why.to_string()),
        Some(Answer::Conflict { .. }) => Problem::of(Kind::Bug, "a version was expected, and none was named"),
        Some(Answer::Unknown { .. } | Answer::Expired) => {
            Problem::of(Kind::Unknown, "its shard is taken over, or could not tell")
        }
        None => Problem::of(Kind::Unknown, format!("no answer came in {} s", ANSWERS.as_secs())),
    };
    Err(problem.about(trip))
}

fn refused(trip: TripId, no: &Receipt<No>) -> Problem {
    let kind = match no.reply {
        No::NotStarted => Kind::NoSuchTrip,
        No::Ended => Kind::TripEnded,
        No::PastPivot | No::TooLate => Kind::PastPivot,
        No::BufferFull => Kind::TooManySignals,
        _ => Kind::Bug,
    };
    Problem::of(kind, no.reply.to_string()).about(trip).with(&no.token)
}

fn no_such(trip: TripId) -> Problem {
    Problem::of(Kind::NoSuchTrip, format!("trip {trip} is not among those that are known here")).about(trip)
}

fn accepted<R>(receipt: &Receipt<R>, body: &impl Serialize) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    response.headers_mut().extend(token::header(&receipt.token).map(|token| (TOKEN, token)));
    response
}

/// The client's key, if it sent one.
fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all("idempotency-key").into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    let good = value.as_bytes().iter().all(u8::is_ascii_graphic) && (1..=LONGEST_KEY).contains(&value.len());
    match value.to_str() {
        Ok(key) if good && values.next().is_none() => Ok(Some(key)),
        _ => {
            let detail =
                format!("it is one key of 1 to {LONGEST_KEY} visible ASCII characters, without blanks");
            Err(Problem::of(Kind::InvalidParameter, detail).at("header Idempotency-Key"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use palinode::{Invalid, Micros, Token};

    use super::*;

    type End = Answer<(), No>;

    fn receipt<R>(reply: R) -> Receipt<R> {
        let token = Token { service: "trip".into(), log_id: SystemIds.fresh(Micros(0)), shard: 1, pseq: 2 };
        Receipt { reply, version: 1, token, time: Micros(0) }
    }

    /// What a client is told when a command ends so: status, whether to come back, and the body.
    async fn told(end: End) -> (u16, bool, String) {
        let problem = settled(TripId(0xab), ready(end)).await.unwrap_err();
        let response = problem.into_response();
        let again = response.headers().contains_key(header::RETRY_AFTER);
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 4_096).await.unwrap();
        (status, again, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_is_not_known_is_said_to_be_unknown_with_the_id_to_ask_again_with() {
        for end in [End::Unknown { id: SystemIds.fresh(Micros(0)) }, End::Expired] {
            let (status, again, body) = told(end).await;
            assert_eq!((status, again), (503, true), "{body}");
            assert!(
                body.contains("urn:palinode:problem:unknown") && body.contains("00000000000000ab"),
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn every_other_end_has_a_problem_of_its_own() {
        let bug = Invalid::Bug { text: "broken".into() };
        let ends: [(End, u16, &str); 3] = [
            (End::Overloaded, 503, "overloaded"),
            (End::Parked { why: "it cannot be read".into() }, 409, "trip-parked"),
            (End::Invalid(bug), 500, "bug"),
        ];
        for (end, expected, name) in ends {
            let (status, again, body) = told(end).await;
            assert_eq!((status, again), (expected, expected == 503), "{body}");
            assert!(body.contains(&format!("urn:palinode:problem:{name}\"")), "{body}");
        }
    }

    #[tokio::test]
    async fn a_yes_and_a_definite_no_are_receipts() {
        assert!(matches!(settled(TripId(1), ready(End::Accepted(receipt(())))).await, Ok(Ok(_))));
        let no = settled(TripId(1), ready(End::Rejected(receipt(No::PastPivot)))).await.unwrap().unwrap_err();
        let response = refused(TripId(1), &no).into_response();
        assert_eq!(response.status(), 409);
        assert_eq!(
            response.headers()[TOKEN],
            no.token.to_string(),
            "the refusal is recorded, and says where"
        );
    }
}
