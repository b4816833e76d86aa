//! Refusals as problem details (RFC 9457): what was wrong, where, and what to do. Programs look at `type`, which never
//! changes; nobody matches on text. Knows no route.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use palinode::Token;
use serde::Serialize;
use utoipa::ToSchema;

use super::token::{self, TOKEN};
use crate::domain::TripId;

/// What stands before the name of every type.
const TYPE: &str = "urn:palinode:problem:";
/// The media type.
pub(super) const MEDIA: &str = "application/problem+json";
/// What is wrong may quote what was sent; so much of it, in characters.
const QUOTED: usize = 300;

/// Everything that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    InvalidBody,
    InvalidParameter,
    NoSuchRoute,
    NoSuchTrip,
    MethodNotAllowed,
    TooSlow,
    TripEnded,
    PastPivot,
    TooManySignals,
    TripParked,
    NotYet,
    WrongLog,
    Parked,
    Stopped,
    TooLarge,
    NotJson,
    KeyReused,
    TwoIds,
    Bug,
    Unknown,
    Overloaded,
    Stopping,
    NotReady,
    ReadModelAway,
}

impl Kind {
    /// Name, status, title, what to do.
    pub(super) fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::InvalidBody => {
                ("invalid-body", 400, "The body is no trip", "send what /openapi.json describes")
            }
            Self::InvalidParameter => (
                "invalid-parameter",
                400,
                "A parameter or header is not valid",
                "send what /openapi.json describes",
            ),
            Self::NoSuchRoute => ("no-such-route", 404, "Nothing is served here", "see /openapi.json"),
            Self::NoSuchTrip => (
                "no-such-trip",
                404,
                "No trip of this id is known",
                "if it was just accepted, send the Palinode-Token of that answer along",
            ),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                405,
                "The route has no such method",
                "use a method of the Allow header",
            ),
            Self::TooSlow => ("too-slow", 408, "The body did not arrive in time", "send it again, faster"),
            Self::TripEnded => ("trip-ended", 409, "The trip has come to its end", "look at the trip"),
            Self::PastPivot => {
                ("past-pivot", 409, "The trip is paid and will be completed", "it can no longer be cancelled")
            }
            Self::TooManySignals => {
                ("too-many-signals", 409, "Too much waits for this trip already", "look at the trip")
            }
            Self::TripParked => (
                "trip-parked",
                409,
                "The trip is set aside until a person looks at it",
                "nothing of the request was applied; tell the operator",
            ),
            Self::NotYet => (
                "not-yet",
                412,
                "The read model has not reached the token in time",
                "ask again, or wait longer with `Prefer: wait=SECONDS`",
            ),
            Self::WrongLog => (
                "wrong-log",
                412,
                "The token is not of the log that this route follows",
                "use a token of this service; if the log was replaced, the token is dead: leave it out",
            ),
            Self::Parked => (
                "parked",
                412,
                "The read model has set aside what the token is of",
                "it will not be reached until a person looks at it; leave the token out to see what is there",
            ),
            Self::Stopped => (
                "stopped",
                412,
                "The read model stands still",
                "it will not be reached until it is started again; leave the token out to see what is there",
            ),
            Self::TooLarge => ("too-large", 413, "The body is too large", "send less"),
            Self::NotJson => {
                ("not-json", 415, "The body is not declared as JSON", "send Content-Type: application/json")
            }
            Self::KeyReused => (
                "key-reused",
                422,
                "The id or key was used for another trip",
                "use another id or key for another trip, the same body for the same trip",
            ),
            Self::TwoIds => (
                "two-ids",
                422,
                "The trip is named twice",
                "send the id in the body or the Idempotency-Key header, not both",
            ),
            Self::Bug => {
                ("bug", 500, "The server made a mistake", "tell the operator; asking again will not help")
            }
            Self::Unknown => (
                "unknown",
                503,
                "Whether it was done is not known",
                "it may have happened: send the same request again, with the id given here or the same Idempotency-Key",
            ),
            Self::Overloaded => {
                ("overloaded", 503, "Too much is waiting", "nothing was done: send it again a little later")
            }
            Self::Stopping => {
                ("stopping", 503, "The server is stopping", "nothing was done: send it again when it is back")
            }
            Self::NotReady => ("not-ready", 503, "Not everything is served", "ask again a little later"),
            Self::ReadModelAway => {
                ("read-model-away", 503, "The read models cannot be read", "ask again a little later")
            }
        }
    }

    /// The status.
    pub(super) fn status(self) -> u16 {
        self.row().1
    }

    /// The name, as it ends its type.
    pub(super) fn name(self) -> &'static str {
        self.row().0
    }
}

/// A refusal.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    kind: Kind,
    detail: Box<str>,
    at: Option<Box<str>>,
    trip: Option<TripId>,
    /// Of a refusal that is durable.
    token: Option<Box<Token>>,
    /// The connection is of no more use.
    closing: bool,
}

/// Problem details, as they are sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details<'a> {
    /// What kind of problem it is; it never changes
    #[serde(rename = "type")]
    #[schema(format = "uri", example = "urn:palinode:problem:not-yet")]
    kind: String,
    /// The kind in words
    title: &'a str,
    /// The status of the answer
    status: u16,
    /// What was wrong this time
    detail: &'a str,
    /// Where: a header, a parameter, a place in the body
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
    /// What to do
    help: &'a str,
    /// The trip that it is about
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    trip: Option<TripId>,
}

impl Problem {
    /// A problem of this kind, with what was wrong this time.
    pub(super) fn of(kind: Kind, detail: impl AsRef<str>) -> Self {
        let detail = detail.as_ref().chars().take(QUOTED).collect::<String>().into();
        let closing = matches!(kind, Kind::TooSlow | Kind::TooLarge | Kind::Stopping);
        Self { kind, detail, at: None, trip: None, token: None, closing }
    }

    /// Says where it is wrong.
    pub(super) fn at(self, place: impl AsRef<str>) -> Self {
        let place = place.as_ref().chars().take(QUOTED).collect::<String>();
        Self { at: Some(place.into()), ..self }
    }

    /// Says which trip it is about.
    pub(super) fn about(self, trip: TripId) -> Self {
        Self { trip: Some(trip), ..self }
    }

    /// Says where the refusal is recorded.
    pub(super) fn with(self, token: &Token) -> Self {
        Self { token: Some(Box::new(token.clone())), ..self }
    }

    /// Closes the connection after it.
    pub(super) fn closing(self) -> Self {
        Self { closing: true, ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (name, status, title, help) = self.kind.row();
        let details = Details {
            kind: format!("{TYPE}{name}"),
            title,
            status,
            detail: &self.detail,
            at: self.at.as_deref(),
            help,
            trip: self.trip,
        };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (code, [(header::CONTENT_TYPE, MEDIA)], body).into_response();
        let headers = response.headers_mut();
        headers.extend(self.token.as_deref().and_then(token::header).map(|token| (TOKEN, token)));
        if status == 503 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.closing {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ALL: [Kind; 24] = [
        Kind::InvalidBody,
        Kind::InvalidParameter,
        Kind::NoSuchRoute,
        Kind::NoSuchTrip,
        Kind::MethodNotAllowed,
        Kind::TooSlow,
        Kind::TripEnded,
        Kind::PastPivot,
        Kind::TooManySignals,
        Kind::TripParked,
        Kind::NotYet,
        Kind::WrongLog,
        Kind::Parked,
        Kind::Stopped,
        Kind::TooLarge,
        Kind::NotJson,
        Kind::KeyReused,
        Kind::TwoIds,
        Kind::Bug,
        Kind::Unknown,
        Kind::Overloaded,
        Kind::Stopping,
        Kind::NotReady,
        Kind::ReadModelAway,
    ];

    #[test]
    fn every_problem_has_a_name_of_its_own_and_stands_in_the_guide() {
        let guide = include_str!("../../../../docs/http.md");
        let names: BTreeSet<_> = ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for kind in ALL {
            let row = format!("| {} | `{}` |", kind.status(), kind.name());
            assert!(guide.contains(&row), "docs/http.md has no row {row}");
        }
    }
}
