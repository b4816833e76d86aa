//! What a batch of journal entries changes in the rows of its instances: a pure fold by instance. Everything in a change
//! is a new value or a number to add, so a row never has to be read to be changed, and batches of any size give the
//! same rows.

use std::{collections::BTreeMap, sync::Arc};

use palinode::{EntityKey, Micros, activity::To, projection::Recorded};
use serde::{Serialize, Serializer};

use super::Entry;
use crate::{
    definition::Then,
    event::{Direction, Event, Late, Plan, Timer, Why},
    state::DEADLINE,
    verb::Verb,
};

/// What a batch changes, by instance.
#[derive(Debug, Default)]
pub struct Changes(BTreeMap<EntityKey, Change>);

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.values())
    }
}

/// What changes in one row; `None` stays as it is.
#[derive(Debug, Default, Serialize)]
struct Change {
    service: Arc<str>,
    definition: Arc<str>,
    id: Arc<str>,
    shard: u32,
    pseq: u64,
    since: Micros,
    version: Option<u32>,
    phase: Option<&'static str>,
    stuck: Option<u8>,
    parked: Option<Arc<str>>,
    /// Whether it was unparked before that.
    unparked: u8,
    paused: Option<Arc<str>>,
    /// Whether it was resumed before that.
    resumed: u8,
    killed: Option<Arc<str>>,
    /// A merge patch: the nodes of which something leaked.
    leaked: BTreeMap<Arc<str>, Option<u8>>,
    started_at: Option<Micros>,
    ended_at: Option<Micros>,
    /// To be added.
    attempts: u32,
    /// To be added.
    retries: u32,
    last_error: Option<Arc<str>>,
    why: Option<Arc<str>>,
    why_node: Option<Arc<str>>,
    /// To be added.
    exceptions: u32,
    nodes: BTreeMap<Arc<str>, Node>,
}

/// What changes of one node: a JSON merge patch (RFC 7396), so a field that is left out stays as it is, and `null`
/// removes one. All patches are flat and set `at` as a whole; only so two of them are one.
#[derive(Debug, Default, Serialize)]
struct Node {
    #[serde(flatten)]
    target: Option<Target>,
    /// The activity that takes the node back, when it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Arc<str>>,
    /// The activity that settles it, when it is in doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    settler: Option<Arc<str>>,
    #[serde(flatten)]
    at: Option<At>,
    /// Only the end of the waiting, when nothing else changes.
    #[serde(rename = "until", skip_serializing_if = "Option::is_none")]
    only_until: Option<Option<Micros>>,
}

/// Whom a node asks.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    Entity(String),
    Activity(Arc<str>),
}

/// What an open node waits for, since when and until when at most; nothing of a closed one.
#[derive(Debug, Default, Serialize)]
struct At {
    open: Option<Open>,
    round: Option<u32>,
    attempt: Option<u32>,
    /// The name of what a wait waits for; none: time to pass.
    signal: Option<Arc<str>>,
    since: Option<Micros>,
    until: Option<Micros>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Open {
    /// The answer to its ask.
    Ask,
    /// The answer to its undo.
    Undo,
    /// The next attempt or round of the ask.
    NextAsk,
    /// The same of the undo.
    NextUndo,
    /// What the participant of a pivot in doubt knows.
    Probe,
    /// Its word that it was done, or never will be.
    Void,
    /// How an attempt ends that nobody needs any more.
    LastWord,
    /// A signal, or time to pass.
    Wait,
    /// A decision of a person.
    Person,
}

impl Changes {
    pub(super) fn take(&mut self, recorded: &Recorded<Entry>) {
        let Entry(event) = &recorded.event;
        let untouched = matches!(
            event,
            Event::LateReply { .. }
                | Event::Signalled { .. }
                | Event::CancelAsked { .. }
                | Event::DeadlinePassed {}
                | Event::Kept { .. }
        );
        if untouched && !matches!(event, Event::LateReply { class: Late::Leak, .. }) {
            return;
        }
        let change = self.0.entry(recorded.entity.clone()).or_default();
        change.service = Arc::clone(&recorded.service);
        change.definition = Arc::clone(&recorded.entity.kind);
        change.id = Arc::clone(&recorded.entity.id);
        change.shard = recorded.shard;
        change.pseq = recorded.pseq;
        change.since = recorded.time;
        let stays = matches!(
            event,
            Event::Parked { .. }
                | Event::Unparked { .. }
                | Event::Paused { .. }
                | Event::Resumed { .. }
                | Event::Intervened { .. }
                | Event::Leaked { .. }
                | Event::LateReply { .. }
        );
        if !stays {
            change.stuck = Some(0);
        }
        change.take(event);
    }
}

impl Change {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Started { version, .. } => {
                self.version = Some(*version);
                self.phase = Some("forward");
                self.started_at = Some(self.since);
            }
            Event::UndoBegan { why } => {
                self.phase = Some("undoing");
                self.turned_back(why);
            }
            Event::Stuck { .. } => self.stuck = Some(1),
            Event::Parked { why, .. } => self.parked = Some(Arc::clone(why)),
            Event::Completed {} => self.end("completed"),
            Event::Compensated { .. } => self.end("compensated"),
            Event::Killed { reason, by, .. } => {
                self.killed = Some(format!("{by}: {reason}").into());
                self.end("killed");
            }
            Event::Unparked { .. } => (self.parked, self.unparked) = (None, 1),
            Event::Paused { reason, by, left, .. } => {
                self.paused = Some(format!("{by}: {reason}").into());
                left.iter().for_each(|left| self.until(&left.node, None));
            }
            Event::Resumed { timers, .. } => {
                (self.paused, self.resumed) = (None, 1);
                timers.iter().for_each(|t| self.until(&t.node, Some(t.timer.due)));
            }
            Event::Intervened { verb: Verb::Skip | Verb::MarkDone, .. } => self.excepted(),
            Event::Leaked { node, .. } => {
                self.excepted();
                self.leaked.insert(Arc::clone(node), Some(1));
            }
            Event::LateReply { re, class: Late::Leak, .. } => {
                let node = re.rsplitn(3, '/').nth(2).unwrap_or_default();
                self.leaked.insert(node.into(), Some(1));
            }
            _ => self.take_of_node(event),
        }
    }

    fn take_of_node(&mut self, event: &Event) {
        match event {
            Event::StepAsked { node, round, attempt, pivot, to, undo, timer, .. } => {
                self.count(*round, *attempt);
                if *pivot {
                    self.phase = Some("committing");
                }
                let at = self.asked(Open::Ask, *round, *attempt, *timer);
                let node = self.node(node, at);
                if let Some(to) = to {
                    node.target = Some(Target::of(to));
                }
                node.undo_by(undo.as_ref());
            }
            Event::UndoAsked { node, round, attempt, .. } => {
                self.count(*round, *attempt);
                let at = self.asked(Open::Undo, *round, *attempt, None);
                self.node(node, at);
            }
            Event::AttemptFailed { node, direction, why, timer, .. } => {
                self.last_error = Some(Arc::clone(why));
                let next = if *direction == Direction::Undo { Open::NextUndo } else { Open::NextAsk };
                // Without a timer the budget is spent, and the next entry says what follows.
                let at = timer.map_or_else(At::default, |timer| self.open(next, Some(timer)));
                self.node(node, at);
            }
            Event::Awaited { node, direction, round, timer } => {
                let open = if *direction == Direction::Undo { Open::Undo } else { Open::Ask };
                let at = At { round: Some(*round), ..self.open(open, *timer) };
                self.node(node, at);
            }
            Event::SettleAsked { node, direction, round, attempt, activity, .. } => {
                self.count(*round, *attempt);
                let open = if *direction == Direction::Void { Open::Void } else { Open::Probe };
                let at = self.asked(open, *round, *attempt, None);
                let node = self.node(node, at);
                if activity.is_some() {
                    node.settler.clone_from(activity);
                }
            }
            Event::WaitBegan { node, signal, timer } => {
                let at = At { signal: signal.clone(), ..self.open(Open::Wait, Some(*timer)) };
                self.node(node, at);
            }
            Event::Draining { node, timer } => self.opens(node, Open::LastWord, Some(*timer)),
            Event::TimedOut { node, then: Then::Block } => self.opens(node, Open::Person, None),
            Event::InDoubt { node, why } | Event::Blocked { node, why } | Event::UndoStuck { node, why } => {
                self.needs_person(node, why);
            }
            Event::StepRefused { node, text: why, .. } | Event::StepUnknown { node, why, .. } => {
                self.last_error = Some(Arc::clone(why));
                self.node(node, At::default());
            }
            Event::StepDone { node, undo, .. } => self.node(node, At::default()).undo_by(undo.as_ref()),
            Event::PivotPassed { node, .. } => {
                self.phase = Some("finishing");
                self.node(node, At::default());
            }
            Event::Skipped { node, .. }
            | Event::WaitDone { node, .. }
            | Event::TimedOut { node, .. }
            | Event::NotKnown { node } => {
                self.node(node, At::default());
            }
            Event::Undone { node, .. } => {
                self.leaked.insert(Arc::clone(node), None);
                self.node(node, At::default());
            }
            _ => {}
        }
    }

    fn turned_back(&mut self, why: &Why) {
        let (code, node): (Arc<str>, _) = match why {
            Why::Refused { node, code, .. } => (Arc::clone(code), Some(node)),
            Why::Unknown { node, .. } => ("unknown".into(), Some(node)),
            Why::TimedOut { node } => ("timed_out".into(), Some(node)),
            Why::Cancelled { .. } => ("cancelled".into(), None),
            Why::Deadline => ("deadline".into(), None),
        };
        self.why = Some(code);
        self.why_node = node.cloned();
    }

    fn end(&mut self, phase: &'static str) {
        self.phase = Some(phase);
        self.ended_at = Some(self.since);
    }

    fn excepted(&mut self) {
        self.exceptions = self.exceptions.saturating_add(1);
    }

    /// Only when an open node ends is another.
    fn until(&mut self, path: &Arc<str>, until: Option<Micros>) {
        if &**path == DEADLINE {
            return;
        }
        let node = self.nodes.entry(Arc::clone(path)).or_default();
        match &mut node.at {
            Some(at) => at.until = until,
            None => node.only_until = Some(until),
        }
    }

    fn count(&mut self, round: u32, attempt: u32) {
        self.attempts = self.attempts.saturating_add(1);
        self.retries = self.retries.saturating_add(u32::from((round, attempt) != (1, 1)));
    }

    fn needs_person(&mut self, node: &Arc<str>, why: &Arc<str>) {
        self.last_error = Some(Arc::clone(why));
        self.opens(node, Open::Person, None);
    }

    fn opens(&mut self, node: &Arc<str>, open: Open, timer: Option<Timer>) {
        let at = self.open(open, timer);
        self.node(node, at);
    }

    fn open(&self, open: Open, timer: Option<Timer>) -> At {
        At { open: Some(open), since: Some(self.since), until: timer.map(|t| t.due), ..At::default() }
    }

    fn asked(&self, open: Open, round: u32, attempt: u32, timer: Option<Timer>) -> At {
        At { round: Some(round), attempt: Some(attempt), ..self.open(open, timer) }
    }

    fn node(&mut self, path: &Arc<str>, at: At) -> &mut Node {
        let node = self.nodes.entry(Arc::clone(path)).or_default();
        (node.at, node.only_until) = (Some(at), None);
        node
    }
}

impl Node {
    fn undo_by(&mut self, plan: Option<&Plan>) {
        if let Some(activity) = plan.and_then(|plan| plan.activity.as_ref()) {
            self.undo = Some(Arc::clone(activity));
        }
    }
}

impl Target {
    fn of(to: &To) -> Self {
        match to {
            To::Entity(address) => Self::Entity(address.to_string()),
            To::Activity(name) => Self::Activity(Arc::clone(name)),
        }
    }
}
