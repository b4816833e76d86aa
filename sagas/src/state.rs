//! The state of an instance: the fold of its journal. It takes recorded facts only and calls no user code, so a state
//! can always be folded, whatever the closures of a build do.

mod node;

use std::{
    collections::BTreeSet,
    ops::{Index, IndexMut},
    sync::Arc,
};

use palinode::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    definition::{Definition, NodeId, Then},
    event::{Direction, Event, Kept, Timer, Why},
    outcome::Raw,
};

pub use node::{NodeState, Status, Tries};

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not started.
    #[default]
    None,
    /// Before the pivot.
    Forward,
    /// The pivot is asked.
    Committing,
    /// The pivot is done.
    Finishing,
    /// It is taken back.
    Undoing,
    /// Everything was done.
    Completed,
    /// Everything was taken back.
    Compensated,
    /// Stopped by a person.
    Killed,
}

impl Phase {
    /// Whether it has come to its end.
    #[must_use]
    pub fn terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated | Self::Killed)
    }
}

/// A signal nobody has taken yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Buffered {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// What it says.
    pub data: Raw,
}

/// The state of an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct State {
    /// Where it stands.
    pub phase: Phase,
    /// Version and fingerprint it is pinned to, and the digest of the data it was started with.
    pub origin: Option<Origin>,
    /// Its data, as last recorded.
    pub data: Raw,
    pub(crate) nodes: Vec<NodeState>,
    /// Signals nobody has taken yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Buffered>,
    /// Ids of all signals that came.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub signal_ids: BTreeSet<Arc<str>>,
    /// The saga's deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timer>,
    /// The serial of the newest timer.
    pub serial: u64,
    /// A cancel that waits for the pivot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Arc<str>>,
    /// Whether that cancel came too late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_too_late: bool,
    /// Why it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Whether nothing can move without a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stuck: bool,
    /// Nodes closed by a person instead of by an outcome.
    #[serde(default, skip_serializing_if = "zero")]
    pub exceptions: u32,
    /// How it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killed: Option<Killed>,
    /// Why it is set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Arc<str>>,
    /// Inputs kept since then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
}

/// What an instance is pinned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The definition's version.
    pub version: u32,
    /// Its fingerprint.
    pub fingerprint: Digest,
    /// Digest of the data it was started with: what a second start is compared to.
    pub digest: Digest,
}

/// A stop by a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Killed {
    /// Why.
    pub reason: Arc<str>,
    /// Who.
    pub by: Arc<str>,
    /// Effect keys of what was left standing.
    pub standing: Vec<Arc<str>>,
}

fn zero(n: &u32) -> bool {
    *n == 0
}

impl State {
    /// An instance that has not started.
    #[must_use]
    pub fn blank(definition: &Definition) -> Self {
        Self {
            phase: Phase::None,
            origin: None,
            data: Raw::from(serde_json::value::RawValue::NULL.to_owned()),
            nodes: definition.nodes().map(|_| NodeState::default()).collect(),
            signals: Vec::new(),
            signal_ids: BTreeSet::new(),
            deadline: None,
            serial: 0,
            cancel: None,
            cancel_too_late: false,
            why: None,
            stuck: false,
            exceptions: 0,
            killed: None,
            parked: None,
            kept: Vec::new(),
        }
    }

    /// Takes a journal entry.
    ///
    /// # Errors
    /// When it is pinned to another version of the definition, or names a node the definition does not have.
    pub fn apply(&mut self, definition: &Definition, event: &Event) -> Result<(), String> {
        if moves(event) {
            self.stuck = false;
        }
        match event {
            Event::Started { version, fingerprint, data, deadline, .. } => {
                let origin =
                    Origin { version: *version, fingerprint: *fingerprint, digest: digest_of(data.get()) };
                origin.fits(definition)?;
                self.origin = Some(origin);
                self.phase = Phase::Forward;
                self.data = Arc::clone(data);
                self.set_deadline(*deadline);
            }
            Event::UndoBegan { why } => {
                self.phase = Phase::Undoing;
                self.why = Some(why.clone());
                self.deadline = None;
            }
            Event::Signalled { name, id, data } => {
                self.signal_ids.insert(Arc::clone(id));
                let signal = Buffered { name: Arc::clone(name), id: Arc::clone(id), data: Arc::clone(data) };
                self.signals.push(signal);
            }
            Event::LateReply { .. } => {}
            Event::CancelAsked { reason } => self.cancel = Some(Arc::clone(reason)),
            Event::CancelTooLate {} => self.cancel_too_late = true,
            Event::DeadlinePassed {} => self.deadline = None,
            Event::Stuck { .. } => self.stuck = true,
            Event::Completed {} => self.end(Phase::Completed),
            Event::Compensated { .. } => self.end(Phase::Compensated),
            Event::Killed { reason, by, standing } => {
                let (reason, by) = (Arc::clone(reason), Arc::clone(by));
                self.killed = Some(Killed { reason, by, standing: standing.clone() });
                self.end(Phase::Killed);
            }
            Event::Parked { why, input } => {
                self.parked = Some(Arc::clone(why));
                self.kept.push(input.clone());
            }
            Event::Kept { input } => self.kept.push(input.clone()),
            _ => self.apply_to_node(definition, event)?,
        }
        Ok(())
    }

    fn apply_to_node(&mut self, definition: &Definition, event: &Event) -> Result<(), String> {
        let Some(path) = event.node() else { return Ok(()) };
        let id = definition.find(path).ok_or_else(|| format!("{definition:?} has no node {path:?}"))?;
        if let Some(timer) = event.timer() {
            self.serial = self.serial.max(timer.serial);
        }
        let node = &mut self[id];
        node.timer = event.timer();
        match event {
            Event::StepAsked { round, attempt, to, request, undo, at, .. } => {
                node.status = Status::Asked;
                node.tries.ask(*round, *attempt, *at);
                if to.is_some() {
                    node.to.clone_from(to);
                    node.request.clone_from(request);
                    node.undo.clone_from(undo);
                }
                if definition[id].class == crate::definition::Class::Pivot {
                    self.phase = Phase::Committing;
                }
            }
            Event::StepDone { data, undo, .. } => {
                node.status = Status::Done;
                node.request = None;
                node.why = None;
                if undo.is_some() {
                    node.undo.clone_from(undo);
                }
                self.set_data(data.as_ref());
            }
            Event::PivotPassed { data, .. } => {
                node.status = Status::Done;
                node.request = None;
                node.why = None;
                self.phase = Phase::Finishing;
                self.set_data(data.as_ref());
            }
            Event::StepRefused { text, .. } => {
                node.status = Status::Refused;
                node.request = None;
                node.undo = None;
                node.why = Some(Arc::clone(text));
            }
            Event::StepUnknown { why, .. } => node.fail(Status::Unknown, why),
            Event::InDoubt { why, .. } => node.fail(Status::Unknown, why),
            Event::Blocked { why, .. } => node.fail(Status::Blocked, why),
            Event::UndoStuck { why, .. } => node.fail(Status::UndoStuck, why),
            Event::AttemptFailed { direction, how, why, .. } => {
                let (tries, waiting) = match direction {
                    Direction::Do => (&mut node.tries, Status::Waiting),
                    Direction::Undo => (&mut node.undo_tries, Status::UndoWaiting),
                };
                tries.fail(*how);
                node.fail(waiting, why);
            }
            Event::Skipped { .. } => node.status = Status::Skipped,
            Event::WaitBegan { .. } => node.status = Status::Waiting,
            Event::WaitDone { id: signal, data, .. } => {
                node.status = Status::Done;
                self.signals.retain(|s| Some(&s.id) != signal.as_ref());
                self.set_data(data.as_ref());
            }
            Event::TimedOut { then, .. } => {
                node.status = match then {
                    Then::GoOn => Status::Skipped,
                    Then::Undo => Status::Refused,
                    Then::Block => Status::Blocked,
                };
            }
            Event::UndoAsked { round, attempt, at, .. } => {
                node.status = Status::Undoing;
                node.undo_tries.ask(*round, *attempt, Some(*at));
            }
            Event::Undone { .. } => node.status = Status::Undone,
            _ => {}
        }
        Ok(())
    }

    fn set_data(&mut self, data: Option<&Raw>) {
        if let Some(data) = data {
            self.data = Arc::clone(data);
        }
    }

    fn set_deadline(&mut self, deadline: Option<Timer>) {
        self.deadline = deadline;
        self.serial = self.serial.max(deadline.map_or(0, |t| t.serial));
    }

    fn end(&mut self, phase: Phase) {
        self.phase = phase;
        self.deadline = None;
        self.nodes.iter_mut().for_each(|node| node.timer = None);
    }

    /// The state of every node, in the order of the definition.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &NodeState)> {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId(i), node))
    }

    /// What needs a person: a blocked node, a stuck undo, a pivot in doubt.
    pub fn needs_person(&self) -> impl Iterator<Item = NodeId> {
        let doubt = self.phase == Phase::Committing;
        self.nodes().filter(move |(_, n)| n.needs_person(doubt)).map(|(id, _)| id)
    }
}

/// What the saga's deadline is called among its timers; no node can have this name.
pub const DEADLINE: &str = "@deadline";

impl Origin {
    /// Whether this definition may run the instance.
    ///
    /// # Errors
    /// Which version or fingerprint it needs.
    pub fn fits(&self, definition: &Definition) -> Result<(), String> {
        if self.version != definition.version() {
            return Err(format!(
                "needs {} v{}; this build has v{}",
                definition.name(),
                self.version,
                definition.version()
            ));
        }
        if self.fingerprint != definition.fingerprint() {
            return Err(format!(
                "began under {} v{} with fingerprint {}; this build's v{} has {}: a released version was changed",
                definition.name(),
                self.version,
                self.fingerprint,
                definition.version(),
                definition.fingerprint()
            ));
        }
        Ok(())
    }
}

/// What a second start is compared by.
pub(crate) fn digest_of(data: &str) -> Digest {
    Digest::of(data.as_bytes())
}

/// Whether an entry moves something, so that "stuck" has to be found anew.
fn moves(event: &Event) -> bool {
    !matches!(
        event,
        Event::LateReply { .. }
            | Event::Signalled { .. }
            | Event::CancelAsked { .. }
            | Event::DeadlinePassed {}
            | Event::Kept { .. }
            | Event::Parked { .. }
    )
}

impl Index<NodeId> for State {
    type Output = NodeState;

    #[expect(clippy::indexing_slicing, reason = "a state has as many nodes as its definition")]
    fn index(&self, id: NodeId) -> &NodeState {
        &self.nodes[id.0]
    }
}

impl IndexMut<NodeId> for State {
    #[expect(clippy::indexing_slicing, reason = "a state has as many nodes as its definition")]
    fn index_mut(&mut self, id: NodeId) -> &mut NodeState {
        &mut self.nodes[id.0]
    }
}
