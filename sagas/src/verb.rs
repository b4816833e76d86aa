//! The verbs: what a person may do to an instance, as data. What each of them does stands in `control.rs`.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{outcome::Raw, state::Status};

/// What a person may do to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verb {
    /// Ask a node that waits, is blocked, in doubt or stuck again, now and with a new budget.
    Retry,
    /// Leave out a node that is blocked, or an undo that is stuck: closed as an exception.
    Skip,
    /// A person knows that it was done.
    MarkDone,
    /// A person knows that it was not done.
    MarkNotDone,
    /// Take everything back.
    Cancel,
    /// Stop at once, take nothing back.
    Kill,
    /// Stand still: nothing is asked, no time passes.
    Pause,
    /// Go on.
    Resume,
    /// Take back once more what was done after it had been undone.
    UndoAgain,
    /// Take the inputs that were kept while it was set aside.
    Unpark,
}

/// Every verb with its word: in a message, in the journal, on a command line.
pub const VERBS: [(Verb, &str); 10] = [
    (Verb::Retry, "retry"),
    (Verb::Skip, "skip"),
    (Verb::MarkDone, "mark_done"),
    (Verb::MarkNotDone, "mark_not_done"),
    (Verb::Cancel, "cancel"),
    (Verb::Kill, "kill"),
    (Verb::Pause, "pause"),
    (Verb::Resume, "resume"),
    (Verb::UndoAgain, "undo_again"),
    (Verb::Unpark, "unpark"),
];

impl Verb {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        VERBS.iter().find(|(verb, _)| *verb == self).map_or("", |(_, word)| word)
    }

    /// Whether it is about one node.
    #[must_use]
    pub fn of_a_node(self) -> bool {
        matches!(self, Self::Retry | Self::Skip | Self::MarkDone | Self::MarkNotDone | Self::UndoAgain)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = VERBS.iter().find(|(_, word)| *word == text).map(|(verb, _)| *verb);
        known.ok_or_else(|| format!("no verb {text:?}; there are {}", VERBS.map(|(_, word)| word).join(", ")))
    }
}

/// A verb with everything it says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Order {
    /// What is to be done.
    pub verb: Verb,
    /// Who does it.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// The path of the node it is about.
    pub node: Option<Arc<str>>,
    /// Of `mark_done`: the reply, as JSON. Without one it is `null`.
    pub reply: Option<Raw>,
}

/// The payload of the message that is named after the verb.
#[derive(Serialize, Deserialize)]
struct Body {
    by: Arc<str>,
    reason: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Raw>,
}

impl Order {
    /// An order of this person, for this reason.
    pub fn new(verb: Verb, by: impl Into<Arc<str>>, reason: impl Into<Arc<str>>) -> Self {
        Self { verb, by: by.into(), reason: reason.into(), node: None, reply: None }
    }

    /// About this node.
    #[must_use]
    pub fn node(mut self, path: impl Into<Arc<str>>) -> Self {
        self.node = Some(path.into());
        self
    }

    /// With this reply, as JSON.
    #[must_use]
    pub fn reply(mut self, reply: Raw) -> Self {
        self.reply = Some(reply);
        self
    }

    /// From the payload of the message that is named after the verb.
    pub(crate) fn read(verb: Verb, data: &RawValue) -> Result<Self, String> {
        let Body { by, reason, node, reply } = serde_json::from_str(data.get()).map_err(|e| e.to_string())?;
        if verb.of_a_node() && node.is_none() {
            return Err("it names no node".into());
        }
        Ok(Self { verb, by, reason, node, reply })
    }

    /// The payload of its message.
    pub(crate) fn payload(self) -> impl Serialize {
        let Self { by, reason, node, reply, .. } = self;
        Body { by, reason, node, reply }
    }
}

/// A definite no to a signal or a verb. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum No {
    /// No instance of this id was started.
    #[error("it was never started")]
    NotStarted,
    /// It has come to its end.
    #[error("it has come to its end")]
    Ended,
    /// It is past its pivot and will be completed.
    #[error("it is past its pivot and will be completed")]
    PastPivot,
    /// A cancel waited for the pivot, and the pivot was passed.
    #[error("it passed its pivot before the cancel")]
    TooLate,
    /// No wait of the saga knows the signal.
    #[error("no wait of the saga knows this signal")]
    NoSuchSignal,
    /// Too many signals of this name wait already.
    #[error("too many signals of this name wait already")]
    BufferFull,
    /// The definition has no node of this path.
    #[error("its definition has no node {node:?}; there are {}", there.join(", "))]
    NoSuchNode {
        /// The path.
        node: Arc<str>,
        /// The paths there are.
        there: Vec<Arc<str>>,
    },
    /// The verb has no meaning for a node in this state.
    #[error("node {node} is {status}: {hint}")]
    NotNow {
        /// The node.
        node: Arc<str>,
        /// Where it stands.
        status: Status,
        /// What the verb is for.
        hint: Arc<str>,
    },
    /// The reply is not one of this node.
    #[error("the reply does not fit the node: {why}")]
    BadReply {
        /// What is wrong with it.
        why: Arc<str>,
    },
    /// It is paused.
    #[error("it is paused: resume it first")]
    Paused,
    /// It is not paused.
    #[error("it is not paused")]
    NotPaused,
    /// It is set aside.
    #[error("it is set aside ({why}): unpark it first, once its code is mended")]
    Parked {
        /// Why.
        why: Arc<str>,
    },
    /// It is not set aside.
    #[error("it is not set aside")]
    NotParked,
}

impl No {
    /// Its name, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::Ended => "ended",
            Self::PastPivot => "past_pivot",
            Self::TooLate => "too_late",
            Self::NoSuchSignal => "no_such_signal",
            Self::BufferFull => "buffer_full",
            Self::NoSuchNode { .. } => "no_such_node",
            Self::NotNow { .. } => "not_now",
            Self::BadReply { .. } => "bad_reply",
            Self::Paused => "paused",
            Self::NotPaused => "not_paused",
            Self::Parked { .. } => "parked",
            Self::NotParked => "not_parked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_verb_is_its_name_everywhere() {
        for (verb, word) in VERBS {
            assert_eq!(serde_json::to_value(verb).unwrap(), word);
            assert_eq!((verb.as_str(), word.parse()), (word, Ok(verb)));
        }
        assert!("edit".parse::<Verb>().unwrap_err().contains("retry, skip"));
    }

    #[test]
    fn the_engine_sets_free_by_the_same_word() {
        assert_eq!(Verb::Unpark.as_str(), palinode::message::UNPARK);
    }

    #[test]
    fn the_code_of_a_no_is_its_tag() {
        let nos = [
            No::NotStarted,
            No::NoSuchNode { node: "a".into(), there: vec!["b".into(), "c".into()] },
            No::NotNow { node: "a".into(), status: Status::UndoStuck, hint: "so".into() },
            No::Parked { why: "a bug".into() },
        ];
        for no in nos {
            let tag = match serde_json::to_value(&no).unwrap() {
                serde_json::Value::String(tag) => tag,
                other => other.as_object().unwrap().keys().next().unwrap().clone(),
            };
            assert_eq!(tag, no.code());
        }
        let text = No::NotNow { node: "a".into(), status: Status::UndoStuck, hint: "so".into() }.to_string();
        assert_eq!(text, "node a is undo_stuck: so");
    }
}
