//! How inputs, their causes and refusals are written into a commit. Pure, and knows no state.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use crate::{
    commit::Cause,
    entity::{ActivityResult, EntityInput},
    message::Refusal,
};

/// An input as it is kept in the commit of an entity that is set aside.
pub(super) fn stored(input: &EntityInput<'_>) -> Option<Box<RawValue>> {
    match input {
        EntityInput::Message { name, data, .. } => {
            to_raw_value(&serde_json::json!({ "type": name, "data": data }))
        }
        EntityInput::Reply { re, data } => to_raw_value(&serde_json::json!({ "re": re, "data": data })),
        EntityInput::Timer { node, serial } => {
            to_raw_value(&serde_json::json!({ "node": node, "serial": serial }))
        }
        EntityInput::Activity(result) => to_raw_value(result),
    }
    .ok()
}

/// What is answered instead of a decision.
pub(super) fn refusal(code: &str, text: &str) -> Box<RawValue> {
    let refusal = Refusal { code: code.into(), text: text.into(), data: None };
    to_raw_value(&refusal).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The outcome of an attempt, as the cause of a commit.
pub(super) fn activity_cause(result: &ActivityResult) -> Cause {
    Cause::Activity { key: Arc::clone(&result.key), round: result.round, attempt: result.attempt }
}
