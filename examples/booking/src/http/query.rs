//! Reads query strings and path parameters strictly: what is not described is refused, as a problem.

use axum::{
    extract::{
        FromRequestParts, Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
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
        let wrong = |e: QueryRejection| Problem::of(Kind::InvalidParameter, e.body_text()).at("query");
        read.map(|Query(asked)| Self(asked)).map_err(wrong)
    }
}

/// The trip that the path names.
pub(super) struct Named(pub(super) TripId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let wrong = |e: PathRejection| Problem::of(Kind::InvalidParameter, e.body_text()).at("path id");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(wrong)?;
        trip(&text, "path id").map(Self)
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

/// A trip's id out of a path or a query.
///
/// # Errors
/// When it is none.
pub(super) fn trip(text: &str, place: &'static str) -> Result<TripId, Problem> {
    text.parse::<TripId>().map_err(|e| Problem::of(Kind::InvalidParameter, e.to_string()).at(place))
}
