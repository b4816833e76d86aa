//! The tokens of earlier answers: a query that brings them sees those writes, or is told why it does not.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
};
use palinode::{Clock, SystemClock, Token, projection::Waited};

use super::problem::{Kind, Problem};
use crate::read::model::Model;

/// The header: out of every write, into every query that must see it.
pub(super) const TOKEN: HeaderName = HeaderName::from_static("palinode-token");
/// How long a query waits when it does not say.
const USUAL: Duration = Duration::from_secs(2);
/// The longest wait, in seconds: shorter than a stopping server has patience.
const LONGEST: u64 = 10;
/// Tokens of one query.
const MOST: usize = 16;

/// What a query wants to see, and how long it waits for it.
pub(super) struct After {
    tokens: Vec<Token>,
    within: Duration,
}

impl<S: Send + Sync> FromRequestParts<S> for After {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self { tokens: tokens(&parts.headers)?, within: patience(&parts.headers) })
    }
}

impl After {
    /// Returns when the read model shows every write that the tokens are of.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) async fn seen_by(&self, model: &Model) -> Result<(), Problem> {
        let until = SystemClock.now().plus(self.within);
        for token in &self.tokens {
            let waited = model.wait_for(token, until.since(SystemClock.now())).await;
            let (kind, detail) = match waited {
                Waited::Reached => continue,
                Waited::NotYet { pseq, lag, state } => (
                    Kind::NotYet,
                    format!(
                        "{} is at commit {pseq} of the shard, {lag} before the token ({state:?})",
                        model.name()
                    ),
                ),
                Waited::WrongLog { follows: (service, log) } => {
                    (Kind::WrongLog, format!("{} follows log {log} of service {service}", model.name()))
                }
                Waited::Parked { key } => (
                    Kind::Parked,
                    format!("{} has set {key} aside, with the commit of the token", model.name()),
                ),
                Waited::Stopped { reason } => (Kind::Stopped, format!("{}: {reason}", model.name())),
            };
            return Err(Problem::of(kind, detail).at(format!("header Palinode-Token: {token}")));
        }
        Ok(())
    }
}

/// As a header of an answer; none for a token that has no such form.
pub(super) fn header(token: &Token) -> Option<HeaderValue> {
    HeaderValue::from_str(&token.to_string()).ok()
}

/// The tokens sent along: any number of headers, and several in one with commas between.
fn tokens(headers: &HeaderMap) -> Result<Vec<Token>, Problem> {
    let wrong = |detail: String| Problem::of(Kind::InvalidParameter, detail).at("header Palinode-Token");
    let mut tokens = Vec::new();
    for value in headers.get_all(TOKEN) {
        let text = value.to_str().map_err(|_| wrong("it is not ASCII".into()))?;
        for token in text.split(',') {
            tokens.push(token.trim().parse().map_err(|e: palinode::BadToken| wrong(e.to_string()))?);
            if tokens.len() > MOST {
                return Err(wrong(format!("more than {MOST} tokens")));
            }
        }
    }
    Ok(tokens)
}

/// `Prefer: wait=SECONDS` (RFC 7240). A preference that cannot be read is no preference.
fn patience(headers: &HeaderMap) -> Duration {
    let texts = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
    let preferences = texts.flat_map(|text| text.split([',', ';']));
    let seconds = preferences.filter_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let named = name.trim().eq_ignore_ascii_case("wait");
        if named { value.trim().parse::<u64>().ok() } else { None }
    });
    seconds.take(1).last().map_or(USUAL, |seconds| Duration::from_secs(seconds.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_and_bounded() {
        let patience = |text: &'static str| {
            patience(&HeaderMap::from_iter([("prefer".parse().unwrap(), HeaderValue::from_static(text))]))
        };
        assert_eq!(patience("wait=3"), Duration::from_secs(3));
        assert_eq!(patience("respond-async, Wait = 0"), Duration::ZERO);
        assert_eq!(patience("wait=100000"), Duration::from_secs(LONGEST));
        assert_eq!((patience("wait=soon"), patience("wait=-1"), patience("")), (USUAL, USUAL, USUAL));
    }

    #[test]
    fn several_tokens_are_read_and_too_many_refused() {
        let token = "trip~0192a5b4-7d6e-7c3a-9f00-112233445566~3~42";
        let read = |n: usize| {
            let text = vec![token; n].join(", ");
            tokens(&HeaderMap::from_iter([(TOKEN, HeaderValue::from_str(&text).unwrap())]))
        };
        assert_eq!(read(2).unwrap(), [token.parse().unwrap(), token.parse().unwrap()]);
        assert!(read(MOST).is_ok() && read(MOST + 1).is_err());
    }
}
