//! An event that cannot be taken, and why: as it is told, and as a cause that is the same for one bug, whatever the data.

use std::sync::Arc;

use super::Recorded;
use crate::{
    checkpoint::{Held, Parked},
    time::Micros,
};

/// The longest text of an error in a cause.
const CAUSE: usize = 120;

/// An event that may have to be named.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) held: Held,
    pub(super) name: Arc<str>,
    /// In the words of a person.
    pub(super) label: String,
}

/// Why an event cannot be taken.
#[derive(Debug, Clone)]
pub(super) struct Poison {
    /// Where it failed: `reading`, `fold` or `write`.
    stage: &'static str,
    what: Arc<str>,
}

impl Poison {
    pub(super) fn new(stage: &'static str, what: impl Into<Arc<str>>) -> Self {
        Self { stage, what: what.into() }
    }

    /// The key that is set aside for it.
    pub(super) fn parked(&self, shard: u32, key: String, about: &About, now: Micros) -> Parked {
        Parked {
            shard,
            key,
            first: about.held,
            held: 0,
            cause: self.cause(about),
            error: self.error(about),
            attempts: 1,
            resuming: false,
            at: now,
        }
    }

    /// The same again, for a key that was set aside before.
    pub(super) fn again(&self, parked: &Parked, about: &About) -> Parked {
        Parked {
            cause: self.cause(about),
            error: self.error(about),
            attempts: parked.attempts.saturating_add(1),
            resuming: false,
            ..parked.clone()
        }
    }

    fn cause(&self, about: &About) -> String {
        format!("{}: {}: {}", about.name, self.stage, without_data(&self.what))
    }

    fn error(&self, about: &About) -> String {
        format!("{}: {}", about.label, self.what)
    }
}

/// An event in the words of a person.
pub(super) fn about(head: &Recorded<()>, held: Held) -> About {
    let label = format!(
        "{}/{}, record {}, commit {}, event {} ({} of {})",
        head.service, head.shard, held.offset, held.pseq, held.idx, head.name, head.entity
    );
    About { held, name: Arc::clone(&head.name), label }
}

/// The text without its numbers and what stands in quotes, which differ from event to event.
fn without_data(text: &str) -> String {
    let (mut out, mut quoted) = (String::new(), None);
    for c in text.chars().take(CAUSE) {
        match quoted {
            Some(mark) if c == mark => {
                quoted = None;
                out.push(c);
            }
            Some(_) => {}
            None if matches!(c, '"' | '`') => {
                quoted = Some(c);
                out.push(c);
            }
            None if c.is_ascii_digit() && out.ends_with('#') => {}
            None if c.is_ascii_digit() => out.push('#'),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bug_is_one_cause() {
        let text = without_data("guest \"Ada\" has -317 cents, 42 were expected");
        assert_eq!(text, "guest \"\" has -# cents, # were expected");
        assert_eq!(text, without_data("guest \"Grace Hopper\" has -5 cents, 4211 were expected"));
        assert_ne!(text, without_data("guest \"Ada\" has 5 rooms, 4211 were expected"));
    }
}
