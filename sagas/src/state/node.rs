//! The state of one node, and how often it was tried.
//!
//! | node status | meaning |
//! |---|---|
//! | Idle | never asked |
//! | Asked | its answer is awaited |
//! | Waiting | an open wait, or the pause before the next attempt or round |
//! | Done, Refused, Skipped | closed, forward |
//! | Unknown | it may have happened; before the pivot it will be undone, a pivot is in doubt |
//! | Blocked | after the pivot: needs a person, or a late answer |
//! | Probing, Voiding | a pivot that may have happened: its participant is asked, or asked again after a pause |
//! | Undoing, UndoWaiting | its undo is asked, or pauses before the next attempt or round |
//! | Undone, UndoStuck | closed, backward; needs a person |

use std::{fmt, sync::Arc};

use palinode::{Micros, activity::To};
use serde::{Deserialize, Serialize};

use crate::{
    event::{Direction, How, Plan, Timer},
    outcome::{Raw, present},
};

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the table at the top of the file says what each means")]
pub enum Status {
    #[default]
    Idle,
    Asked,
    Waiting,
    Done,
    Refused,
    Unknown,
    Skipped,
    Blocked,
    Probing,
    Voiding,
    Undoing,
    UndoWaiting,
    Undone,
    UndoStuck,
}

/// What the participant of a pivot in doubt was asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settle {
    /// The activity.
    pub activity: Arc<str>,
    /// The request.
    pub request: Raw,
    /// How often.
    pub tries: Tries,
}

/// How often something was tried, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tries {
    /// The present round.
    pub round: u32,
    /// The present attempt of it.
    pub attempt: u32,
    /// Failures since the first ask.
    #[serde(default, skip_serializing_if = "zero")]
    pub failures: u32,
    /// Attempts lost with their owner.
    #[serde(default, skip_serializing_if = "zero")]
    pub lost: u32,
    /// Whether an attempt of this round may have happened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
    /// Whether the last failure was a refusal: then the next ask is a new round.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// When it was first asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Micros>,
}

/// What is known of a node.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NodeState {
    /// Where it stands.
    pub status: Status,
    /// Its asks.
    #[serde(default, skip_serializing_if = "untried")]
    pub tries: Tries,
    /// The asks of its undo.
    #[serde(default, skip_serializing_if = "untried")]
    pub undo_tries: Tries,
    /// Whom it was asked of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<To>,
    /// Its request, when it may have to be sent again.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub request: Option<Raw>,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Plan>,
    /// The last probe of a pivot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Box<Settle>>,
    /// The last void of a pivot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<Box<Settle>>,
    /// Its timer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Timer>,
    /// Whether the entity it was asked of has not answered yet, whatever became of the waiting.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owes: bool,
    /// Why it failed, or needs a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Arc<str>>,
}

fn untried(tries: &Tries) -> bool {
    *tries == Tries::default()
}

fn zero(n: &u32) -> bool {
    *n == 0
}

impl NodeState {
    /// The tries of one direction.
    #[must_use]
    pub fn tries_of(&self, direction: Direction) -> Tries {
        let settle = |settle: &Option<Box<Settle>>| settle.as_ref().map(|s| s.tries).unwrap_or_default();
        match direction {
            Direction::Do => self.tries,
            Direction::Undo => self.undo_tries,
            Direction::Probe => settle(&self.probe),
            Direction::Void => settle(&self.void),
        }
    }

    pub(super) fn tries_mut(&mut self, direction: Direction) -> Option<&mut Tries> {
        match direction {
            Direction::Do => Some(&mut self.tries),
            Direction::Undo => Some(&mut self.undo_tries),
            Direction::Probe => self.probe.as_mut().map(|settle| &mut settle.tries),
            Direction::Void => self.void.as_mut().map(|settle| &mut settle.tries),
        }
    }

    pub(super) fn settle(&mut self, direction: Direction) -> &mut Option<Box<Settle>> {
        if direction == Direction::Void { &mut self.void } else { &mut self.probe }
    }

    pub(super) fn fail(&mut self, status: Status, why: &Arc<str>) {
        self.status = status;
        self.why = Some(Arc::clone(why));
    }

    pub(super) fn needs_person(&self, in_doubt: bool) -> bool {
        matches!(self.status, Status::Blocked | Status::UndoStuck)
            || (in_doubt && self.status == Status::Unknown)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Asked => "asked",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Blocked => "blocked",
            Self::Probing => "probing",
            Self::Voiding => "voiding",
            Self::Undoing => "undoing",
            Self::UndoWaiting => "undo_waiting",
            Self::Undone => "undone",
            Self::UndoStuck => "undo_stuck",
        })
    }
}

impl Tries {
    /// A new budget; whether the round may have happened stays known.
    pub(super) fn renew(&mut self) {
        self.failures = 0;
        self.lost = 0;
        self.at = None;
    }

    pub(super) fn ask(&mut self, round: u32, attempt: u32, at: Option<Micros>) {
        if round != self.round {
            self.unsure = false;
        }
        self.round = round;
        self.attempt = attempt;
        self.refused = false;
        self.at = self.at.or(at);
    }

    pub(super) fn fail(&mut self, how: How) {
        self.failures = self.failures.saturating_add(1);
        self.refused = how == How::Refused;
        self.unsure |= matches!(how, How::Unknown | How::Lost | How::Fatal);
        if how == How::Lost {
            self.lost = self.lost.saturating_add(1);
        }
    }
}
