//! What a journal says of one node so far: where it stands forward and back, and how often it was tried. Knows nothing of
//! other nodes.

use serde_json::value::RawValue;

use crate::{
    journal::{Direction, How, Plan, To},
    record::Peer,
    report::Rule,
};

/// Where a node stands forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Forward {
    /// Not begun.
    #[default]
    Idle,
    /// Its answer is awaited.
    Asked,
    /// A further attempt is planned.
    Paused,
    /// An attempt failed and no further one is planned: what follows comes in the same commit.
    Spent,
    /// An open wait, or a timer that runs.
    Waiting,
    /// Done.
    Done,
    /// Definitely refused.
    Refused,
    /// It may have happened.
    Unknown,
    /// The same of the pivot.
    InDoubt,
    /// It needs a person.
    Blocked,
    /// Left out.
    Skipped,
    /// The participant of the pivot is asked about it, or will be after a pause.
    Settling,
}

/// Where its undo stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Back {
    /// Not asked.
    #[default]
    Idle,
    /// Its answer is awaited.
    Asked,
    /// A further attempt is planned.
    Paused,
    /// An attempt failed and no further one is planned.
    Spent,
    /// Done.
    Undone,
    /// It needs a person.
    Stuck,
    /// A person left it out.
    LeftOut,
}

/// One node.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) forward: Forward,
    pub(super) back: Back,
    pub(super) asks: Tries,
    pub(super) undos: Tries,
    pub(super) probes: Tries,
    pub(super) voids: Tries,
    /// Done after it was undone or refused; undone again, it is gone.
    pub(super) leaked: bool,
    /// Whether it is the pivot.
    pub(super) pivot: bool,
    /// The signal it waits for.
    pub(super) signal: Option<String>,
    /// Whom it was asked of.
    pub(super) to: Option<To>,
    /// What it was asked, when that is recorded.
    pub(super) request: Option<Box<RawValue>>,
    /// What takes it back.
    pub(super) undo: Option<Plan>,
    /// When the undo was first asked.
    pub(super) undo_since: Option<i64>,
    /// The node whose closing opened it: it follows that node.
    pub(super) opened_by: Option<String>,
    /// The shard the message in flight went to, and the record that sent it.
    pub(super) sent: Option<(Peer, u64)>,
}

/// How often something was tried.
#[derive(Debug, Default)]
pub(super) struct Tries {
    pub(super) round: u32,
    pub(super) attempt: u32,
    /// Whether an attempt of this round may have happened.
    pub(super) unsure: bool,
    last: Last,
}

/// How the last try stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Last {
    #[default]
    None,
    Open,
    Failed {
        refused: bool,
        next: Option<i64>,
    },
}

impl Node {
    /// U1: it was asked, with an undo, and not definitely refused.
    pub(super) fn to_be_undone(&self) -> bool {
        self.undo.is_some() && self.asks.tried() && self.forward != Forward::Refused
    }

    /// Whether something of it stands that must be gone before what it followed is undone (U2).
    pub(super) fn stands(&self) -> bool {
        match self.forward {
            Forward::Idle | Forward::Refused | Forward::Skipped => false,
            Forward::Done | Forward::Unknown => {
                self.to_be_undone() && !matches!(self.back, Back::Undone | Back::LeftOut)
            }
            _ => true,
        }
    }

    /// Whether its outcome is open.
    pub(super) fn in_flight(&self) -> bool {
        matches!(
            self.forward,
            Forward::Asked | Forward::Paused | Forward::Spent | Forward::Waiting | Forward::Settling
        )
    }

    /// Closed, so that what follows it may begin.
    pub(super) fn closed(&self) -> bool {
        matches!(self.forward, Forward::Done | Forward::Skipped)
    }

    /// Something will move it: an answer, a timer, a signal.
    pub(super) fn moving(&self) -> bool {
        matches!(self.forward, Forward::Asked | Forward::Paused | Forward::Waiting | Forward::Settling)
            || matches!(self.back, Back::Asked | Back::Paused)
    }

    /// It is moving, or a person must.
    pub(super) fn open(&self) -> bool {
        self.in_flight()
            || matches!(self.forward, Forward::InDoubt | Forward::Blocked)
            || !matches!(self.back, Back::Idle | Back::Undone | Back::LeftOut)
    }

    /// Whether the answer of its present ask is awaited.
    pub(super) fn awaits(&self, direction: Direction) -> bool {
        match direction {
            Direction::Do => self.forward == Forward::Asked,
            Direction::Undo => self.back == Back::Asked,
            Direction::Probe | Direction::Void => self.forward == Forward::Settling,
        }
    }

    pub(super) fn tries(&self, direction: Direction) -> &Tries {
        match direction {
            Direction::Do => &self.asks,
            Direction::Undo => &self.undos,
            Direction::Probe => &self.probes,
            Direction::Void => &self.voids,
        }
    }

    pub(super) fn tries_mut(&mut self, direction: Direction) -> &mut Tries {
        match direction {
            Direction::Do => &mut self.asks,
            Direction::Undo => &mut self.undos,
            Direction::Probe => &mut self.probes,
            Direction::Void => &mut self.voids,
        }
    }

    pub(super) fn is_entity(&self) -> bool {
        matches!(self.to, Some(To::Entity(_)))
    }
}

impl Tries {
    pub(super) fn tried(&self) -> bool {
        self.last != Last::None
    }

    /// Whether this is the present one.
    pub(super) fn is(&self, round: u32, attempt: u32) -> bool {
        (self.round, self.attempt) == (round, attempt)
    }

    /// The next ask; which rule it breaks, and what belongs there instead.
    pub(super) fn ask(&mut self, round: u32, attempt: u32, now: i64) -> Result<(), (Rule, String)> {
        let before = self.last;
        let expected = match before {
            Last::None => (1, 1),
            Last::Failed { refused: true, .. } => (self.round.saturating_add(1), 1),
            Last::Open | Last::Failed { .. } => (self.round, self.attempt.saturating_add(1)),
        };
        self.unsure &= round == self.round;
        (self.round, self.attempt, self.last) = (round, attempt, Last::Open);
        match before {
            Last::Open => Err((Rule::Effects, "no ask while the last one has not failed".into())),
            Last::Failed { next: None, .. } => Err((Rule::Retries, "no ask: the budget was spent".into())),
            _ if (round, attempt) != expected => {
                Err((Rule::Effects, format!("round {}, attempt {}", expected.0, expected.1)))
            }
            Last::Failed { next: Some(due), .. } if now < due => {
                Err((Rule::Retries, format!("not before {due}")))
            }
            Last::Failed { .. } | Last::None => Ok(()),
        }
    }

    /// A person has it tried again, at once: in the next round when the last one was refused.
    pub(super) fn renew(&mut self, now: i64, refused: bool) {
        let was = matches!(self.last, Last::Failed { refused: true, .. });
        if self.tried() {
            self.last = Last::Failed { refused: refused || was, next: Some(now) };
        }
    }

    /// The answer to the last one is awaited again.
    pub(super) fn reopen(&mut self) {
        self.last = Last::Open;
    }

    /// Its next one is due at another time, after a pause.
    pub(super) fn moved(&mut self, due: i64) {
        if let Last::Failed { next: next @ Some(_), .. } = &mut self.last {
            *next = Some(due);
        }
    }

    /// A try did not succeed; says whether it was the present one, and had not failed before.
    pub(super) fn fail(&mut self, (round, attempt): (u32, u32), how: How, next: Option<i64>) -> bool {
        let present =
            self.is(round, attempt) && matches!(self.last, Last::Open | Last::Failed { next: None, .. });
        self.unsure |= matches!(how, How::Unknown | How::Fatal | How::Lost);
        self.last = Last::Failed { refused: how == How::Refused, next };
        present
    }
}
