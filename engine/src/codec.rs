//! Records of `events` to bytes and back: JSON, size limits, checksum. The envelope (`t`, term, claim, pseq, prev) is
//! fixed for ever, so that every build can at least tell that a record is ours. Knows nothing of what counts.

pub mod upcast;

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    commit::{Claim, Commit, FORMAT, Genesis},
    record::Record,
    time::Micros,
    trace::SpanContext,
};

/// The largest encoded commit.
pub const MAX_COMMIT: usize = 900 * 1024;
/// The largest encoded event.
pub const MAX_EVENT: usize = 256 * 1024;
/// The most events of one command.
pub const MAX_EVENTS: usize = 100;

/// One record of an `events` partition, decoded.
#[derive(Debug, Clone)]
pub enum Entry {
    /// The first record.
    Genesis(Genesis),
    /// A node takes the shard.
    Claim(Claim),
    /// The effect of one input.
    Commit(Box<Commit>),
}

/// A record with our mark that cannot be read. It is never dead: whoever meets it stops.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Written by a newer build.
    #[error("format {found} is newer than this build's {FORMAT}: run a newer build")]
    Newer {
        /// The record's format number.
        found: u32,
    },
    /// The value is not what was written.
    #[error("checksum {found:08x} does not match the value's {expected:08x}: the record is damaged")]
    Checksum {
        /// Stored beside the value.
        found: u32,
        /// Of the value as read.
        expected: u32,
    },
    /// The value is no record of ours, although it is marked as one.
    #[error("not a record of this format: {0}")]
    Shape(String),
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
}

/// The bytes of a commit.
///
/// # Errors
/// When a payload cannot be written as JSON.
pub fn encode_commit(commit: &Commit) -> Result<Vec<u8>, serde_json::Error> {
    tagged("commit", commit)
}

/// The record of a claim.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn claim_record(claim: &Claim, wall: Micros) -> Result<Record, serde_json::Error> {
    Ok(Record::ours(Arc::from(""), tagged("claim", claim)?, wall))
}

/// The record of genesis.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn genesis_record(genesis: &Genesis, wall: Micros) -> Result<Record, serde_json::Error> {
    Ok(Record::ours(Arc::from(""), tagged("genesis", genesis)?, wall))
}

/// `{"t":"..",` and then the fields of the body's own object.
pub(crate) fn tagged<T: Serialize>(t: &'static str, body: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"{\"t\":\"");
    out.extend_from_slice(t.as_bytes());
    out.push(b'"');
    let brace = out.len();
    serde_json::to_writer(&mut out, body)?;
    if let Some(b) = out.get_mut(brace) {
        *b = b',';
    }
    Ok(out)
}

/// The trace context of a record of ours, from its bytes and without reading them: it is the last field of a commit, of a
/// message and of a call. For headers that people and brokers may look at; what counts stands in the value.
#[must_use]
pub fn traceparent(value: &[u8]) -> Option<&str> {
    const LENGTH: usize = 55;
    let text = value.strip_suffix(b"\"}")?;
    let (before, text) = text.split_at_checked(text.len().checked_sub(LENGTH)?)?;
    let text = before.ends_with(b",\"traceparent\":\"").then(|| std::str::from_utf8(text).ok()).flatten()?;
    text.parse::<SpanContext>().is_ok().then_some(text)
}

/// Reads a record; `None` for one without our mark.
///
/// # Errors
/// [`Unreadable`] for a record with our mark of a newer format, with a wrong checksum, or of another shape.
pub fn decode(record: &Record) -> Result<Option<Entry>, Unreadable> {
    let Some(mark) = record.mark else { return Ok(None) };
    if mark > FORMAT {
        return Err(Unreadable::Newer { found: mark });
    }
    let expected = crc32c::crc32c(&record.value);
    match record.crc {
        Some(found) if found == expected => {}
        found => return Err(Unreadable::Checksum { found: found.unwrap_or(0), expected }),
    }
    let shape = |e: serde_json::Error| Unreadable::Shape(e.to_string());
    let tag: Tag<'_> = serde_json::from_slice(&record.value).map_err(shape)?;
    match &*tag.t {
        "genesis" => serde_json::from_slice(&record.value).map(Entry::Genesis),
        "claim" => serde_json::from_slice(&record.value).map(Entry::Claim),
        "commit" => serde_json::from_slice(&record.value).map(|c| Entry::Commit(Box::new(c))),
        other => return Err(Unreadable::Shape(format!("unknown record type {other:?}"))),
    }
    .map(Some)
    .map_err(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{message::Message, remote::CallRecord};

    const CONTEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const LOG: &str = "01a1fe9b-8ff2-764e-91cc-90676a7ca7f2";

    fn written<T: Serialize + serde::de::DeserializeOwned>(
        text: &str,
        write: impl Fn(&T) -> Vec<u8>,
    ) -> Vec<u8> {
        let text = text.replace("LOG", LOG).replace("CONTEXT", CONTEXT);
        write(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn the_trace_context_is_found_where_every_record_has_it() {
        let commit = r#"{"term":1,"claim":"LOG","pseq":1,"prev":"0000000000000000","time":1,"cause":{"control":{"act":"barrier"}},
            "outcome":"accepted","parked":{"traceparent":"CONTEXT"},"traceparent":"CONTEXT"}"#;
        let message = r#"{"from":{"service":"a","log_id":"LOG","shard":0},"seq":1,"prev":"0000000000000000","time":1,
            "to":{"service":"b","log_id":"LOG","kind":"k","id":"i"},"shard":0,"type":"k","data":null,"re":"x","traceparent":"CONTEXT"}"#;
        let call = r#"{"id":"LOG","to":{"service":"b","log_id":"LOG","kind":"k","id":"i"},"type":"k","data":null,
            "answer":{"partition":0,"client":"LOG","question":1},"traceparent":"CONTEXT"}"#;
        let records = [
            written::<Commit>(commit, |commit| encode_commit(commit).unwrap()),
            written::<Message>(message, |message| serde_json::to_vec(message).unwrap()),
            written::<CallRecord>(call, |call| call.encode().unwrap()),
        ];
        for record in records {
            assert_eq!(traceparent(&record), Some(CONTEXT), "{}", String::from_utf8_lossy(&record));
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for text in [
            "",
            "\"}",
            r#"{"t":"commit","parked":{"x":1,"traceparent":"CONTEXT"}}"#,
            r#"{"traceparent":"CONTEXT"}"#,
            r#"{"x":1,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz"}"#,
            r#"{"x":",\"traceparent\":\"CONTEXT"}"#,
        ] {
            assert_eq!(traceparent(text.replace("CONTEXT", CONTEXT).as_bytes()), None, "{text}");
        }
    }
}
