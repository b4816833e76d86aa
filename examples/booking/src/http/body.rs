//! Reads a body that may be anything: so much of it, so fast, of the right type, and exactly what is described.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::{
    problem::{Kind, Problem},
    within,
};

/// The largest body, in bytes. A trip has a few hundred.
pub(super) const LARGEST: usize = 64 * 1024;

/// Reads JSON that may take so long to arrive.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    patience: Duration,
) -> Result<T, Problem> {
    let media = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let essence = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = media.map_or("there is no Content-Type".into(), |media| format!("it is {media:?}"));
        return Err(Problem::of(Kind::NotJson, detail).at("header Content-Type"));
    }
    let too_large = || Problem::of(Kind::TooLarge, format!("at most {LARGEST} bytes are read")).at("body");
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| usize::try_from(bytes).map_or(true, |bytes| bytes > LARGEST)) {
        return Err(too_large());
    }
    let Some(read) = within(patience, Limited::new(body, LARGEST).collect()).await else {
        let detail = format!("it was not there after {patience:?}");
        return Err(Problem::of(Kind::TooSlow, detail).at("body"));
    };
    let bytes = match read {
        Ok(read) => read.to_bytes(),
        Err(e) if e.is::<LengthLimitError>() => return Err(too_large()),
        Err(e) => return Err(Problem::of(Kind::InvalidBody, format!("it broke off: {e}")).at("body")),
    };
    serde_json::from_slice(&bytes).map_err(|e| Problem::of(Kind::InvalidBody, e.to_string()).at("body"))
}
