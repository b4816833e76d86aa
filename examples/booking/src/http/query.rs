//! Reads query strings and path parameters strictly: what is not described is refused, as a problem.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::problem::{Kind, Problem};
use crate::domain::TripId;

/// Rows of a page when nothing is said.
const USUAL: u32 = 50;
/// Most rows of a page.
pub(super) const MOST: u32 = 500;

/// A query string, read.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        let wrong = |e: axum::extract::rejection::QueryRejection| {
            Problem::of(Kind::InvalidParameter, e.body_text()).at("query")
        };
        read.map(|Query(asked)| Self(asked)).map_err(wrong)
    }
}

/// The rows of a page.
///
/// # Errors
/// When they are none, or too many.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let detail = format!("limit is {limit}: it is 1 to {MOST}");
        return Err(Problem::of(Kind::InvalidParameter, detail).at("query limit"));
    }
    Ok(limit)
}

/// A trip's id out of the path or the query.
///
/// # Errors
/// When it is none.
pub(super) fn trip(text: &str, place: &'static str) -> Result<TripId, Problem> {
    text.parse::<TripId>().map_err(|e| Problem::of(Kind::InvalidParameter, e.to_string()).at(place))
}
