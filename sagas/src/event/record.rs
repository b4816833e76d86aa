//! What all entries have in common, and how they become records of the stream and back.

use std::sync::Arc;

use palinode::{Upcasters, commit::EventRecord, entity};

use super::{Event, PREFIX, Timer};

impl Event {
    /// The node it is about.
    #[must_use]
    pub fn node(&self) -> Option<&Arc<str>> {
        match self {
            Self::StepAsked { node, .. }
            | Self::StepDone { node, .. }
            | Self::PivotPassed { node, .. }
            | Self::StepRefused { node, .. }
            | Self::StepUnknown { node, .. }
            | Self::AttemptFailed { node, .. }
            | Self::Blocked { node, .. }
            | Self::InDoubt { node, .. }
            | Self::Skipped { node, .. }
            | Self::WaitBegan { node, .. }
            | Self::WaitDone { node, .. }
            | Self::TimedOut { node, .. }
            | Self::Draining { node, .. }
            | Self::UndoAsked { node, .. }
            | Self::Undone { node, .. }
            | Self::UndoStuck { node, .. }
            | Self::Intervened { node, .. }
            | Self::Awaited { node, .. }
            | Self::SettleAsked { node, .. }
            | Self::NotKnown { node }
            | Self::Leaked { node, .. } => Some(node),
            _ => None,
        }
    }

    /// The timer of its node that it sets.
    #[must_use]
    pub fn timer(&self) -> Option<Timer> {
        match self {
            Self::StepAsked { timer, .. }
            | Self::AttemptFailed { timer, .. }
            | Self::Awaited { timer, .. } => *timer,
            Self::WaitBegan { timer, .. } | Self::Draining { timer, .. } => Some(*timer),
            _ => None,
        }
    }

    /// As a record of the stream.
    ///
    /// # Errors
    /// When it is larger than an event may be.
    pub fn record(&self) -> Result<EventRecord, String> {
        entity::encode_event(PREFIX, &Upcasters::default(), self)
    }

    /// From a record of the stream.
    ///
    /// # Errors
    /// When it is no journal event, or not one this build can read.
    pub fn read(record: &EventRecord) -> Result<Self, String> {
        entity::decode_event(PREFIX, &Upcasters::default(), record)
    }
}
