//! The description of the routes, as far as it is not written beside them: the parts that many of them share, and the
//! route that shows it. It is made of the code, so it cannot be behind it.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    IntoParams, IntoResponses, OpenApi,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder, SchemaFormat,
        Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
        response::Response as Described,
    },
};

use super::{
    app::App,
    problem::{Kind, MEDIA},
};

/// What stands above the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Booking",
        description = "Books trips through a saga over four services. Writes answer when they are durable; \
                       a query that brings their Palinode-Token sees them. Refusals are problem details (RFC 9457)."
    ),
    tags(
        (name = "trips", description = "trips and what their guests say"),
        (name = "read models", description = "tables that follow the log"),
        (name = "health", description = "for whoever runs it")
    )
)]
pub(super) struct Head;

/// Shows this description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "health",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = serde_json::Value), OfCrowd))]
pub(super) async fn describe(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.description().to_string()).into_response()
}

fn parameter(
    name: &str,
    place: ParameterIn,
    required: Required,
    schema: ObjectBuilder,
    text: &str,
) -> Parameter {
    let named = ParameterBuilder::new().name(name).parameter_in(place).required(required);
    named.schema(Some(schema)).description(Some(text)).build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// The trip that a path names.
pub(super) struct TripPath;

impl IntoParams for TripPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = text().pattern(Some("^[0-9a-f]{16}$"));
        vec![parameter("id", ParameterIn::Path, Required::True, schema, "the trip's id")]
    }
}

/// What names a trip that has no id.
pub(super) struct Keyed;

impl IntoParams for Keyed {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = text().pattern(Some("^[!-~]{1,255}$"));
        let told = "names the trip when its body has no id; a trip without either gets a fresh id";
        vec![parameter("Idempotency-Key", ParameterIn::Header, Required::False, schema, told)]
    }
}

/// What a query may bring along to see a write.
pub(super) struct Awaited;

impl IntoParams for Awaited {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let token = text().format(Some(SchemaFormat::Custom("palinode-token".into())));
        let told = "tokens of earlier answers, commas between: the answer shows those writes, or is 412";
        let wait = "wait=SECONDS: how long to wait for the tokens, 2 when not said, 10 at most";
        vec![
            parameter("Palinode-Token", ParameterIn::Header, Required::False, token, told),
            parameter("Prefer", ParameterIn::Header, Required::False, text(), wait),
        ]
    }
}

/// How any request may be refused while the server is crowded or stopping, or cannot read.
const ALWAYS: [Kind; 4] = [Kind::InvalidParameter, Kind::Overloaded, Kind::Stopping, Kind::Bug];

/// The ways a query can be refused.
pub(super) struct OfQuery;

impl IntoResponses for OfQuery {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        problems(&[Kind::NotYet, Kind::WrongLog, Kind::Parked, Kind::Stopped, Kind::ReadModelAway])
    }
}

/// The ways a booking can be refused.
pub(super) struct OfWrite;

impl IntoResponses for OfWrite {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        problems(&[
            Kind::InvalidBody,
            Kind::TooSlow,
            Kind::TripParked,
            Kind::TooLarge,
            Kind::NotJson,
            Kind::KeyReused,
            Kind::TwoIds,
            Kind::Unknown,
        ])
    }
}

/// The ways a guest's word can be refused.
pub(super) struct OfVerb;

impl IntoResponses for OfVerb {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        problems(&[
            Kind::NoSuchTrip,
            Kind::TripEnded,
            Kind::PastPivot,
            Kind::TooManySignals,
            Kind::TripParked,
            Kind::Unknown,
        ])
    }
}

/// How everybody may be refused who finds no place for a connection.
pub(super) struct OfCrowd;

impl IntoResponses for OfCrowd {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        responses(&[Kind::Overloaded])
    }
}

/// The ways not to be ready.
pub(super) struct OfReadiness;

impl IntoResponses for OfReadiness {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        responses(&[Kind::Overloaded, Kind::Stopping, Kind::NotReady])
    }
}

fn problems(kinds: &[Kind]) -> BTreeMap<String, RefOr<Described>> {
    responses(&[kinds, &ALWAYS[..]].concat())
}

/// One response a status, which names its kinds.
fn responses(kinds: &[Kind]) -> BTreeMap<String, RefOr<Described>> {
    let mut names: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for kind in kinds {
        names.entry(kind.status()).or_default().push(kind.name());
    }
    let response = |(status, names): (u16, Vec<&str>)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let mut response = ResponseBuilder::new().description(names.join(", ")).content(MEDIA, content);
        if status == 503 {
            let seconds = HeaderBuilder::new().schema(Some(text()));
            response = response.header("Retry-After", seconds.description(Some("seconds")).build());
        }
        (status.to_string(), RefOr::T(response.build()))
    };
    names.into_iter().map(response).collect()
}
