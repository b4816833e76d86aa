//! What a row must be, by the fold that the coordinator itself uses and the definition: no line of the projection.

use std::sync::Arc;

use palinode::{Address, Micros, activity::To};
use palinode_sagas::{
    Class, Definition, Event,
    definition::NodeId,
    event::{Late, Why},
    state::{NodeState, Phase, Settle, State, Status},
    view::SagaRow,
};

/// What is compared of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    version: Option<u32>,
    status: String,
    parked: Option<String>,
    paused: Option<String>,
    killed: Option<String>,
    leaks: Option<String>,
    open: Vec<(String, String)>,
    waiting: (Option<Micros>, Option<Micros>),
    since: Micros,
    began_and_ended: (Option<Micros>, Option<Micros>),
    attempts: u32,
    retries: u32,
    last_error: Option<String>,
    why: Option<(String, Option<String>)>,
    exceptions: u32,
    place: (u32, u64),
}

impl Row {
    pub(crate) fn of(row: &SagaRow) -> Self {
        let parts = |text: &Option<String>, by: &str| -> Vec<String> {
            text.iter().flat_map(|t| t.split(by)).map(str::to_owned).collect()
        };
        let (nodes, texts) = (parts(&row.node, " "), parts(&row.waiting_for, "; "));
        assert_eq!(nodes.len(), texts.len(), "{row:?}");
        Self {
            version: row.version,
            status: row.status.to_string(),
            parked: row.parked.clone(),
            paused: row.paused.clone(),
            killed: row.killed.clone(),
            leaks: row.leaks.clone(),
            open: nodes.into_iter().zip(texts).collect(),
            waiting: (row.waiting_since, row.waiting_until),
            since: row.since,
            began_and_ended: (row.started_at, row.ended_at),
            attempts: row.attempts,
            retries: row.retries,
            last_error: row.last_error.clone(),
            why: row.why.clone().map(|why| (why, row.why_node.clone())),
            exceptions: row.exceptions,
            place: (row.shard, row.pseq),
        }
    }
}

/// An instance folded from its journal.
pub(crate) struct Instance {
    pub(crate) address: Address,
    pub(crate) shard: u32,
    definition: Arc<Definition>,
    state: State,
    entries: Vec<(Event, Micros, u64)>,
}

impl Instance {
    pub(crate) fn new(address: Address, shard: u32, definition: &Arc<Definition>) -> Self {
        let (definition, state) = (Arc::clone(definition), State::blank(definition));
        Self { address, shard, definition, state, entries: Vec::new() }
    }

    pub(crate) fn take(&mut self, event: &Event, time: Micros, pseq: u64) {
        let def = |node| &self.definition[self.definition.find(node).unwrap()];
        match event {
            Event::StepAsked { node, pivot, .. } => {
                assert_eq!(*pivot, def(node).class == Class::Pivot, "{event:?}");
            }
            Event::WaitBegan { node, signal, .. } => {
                assert_eq!(signal.as_deref(), def(node).signal, "{event:?}");
            }
            _ => {}
        }
        self.state.apply(&self.definition, event).unwrap();
        self.entries.push((event.clone(), time, pseq));
    }

    pub(crate) fn row(&self) -> Row {
        let kept = |e: &Event| {
            matches!(
                e,
                Event::LateReply { .. }
                    | Event::Signalled { .. }
                    | Event::CancelAsked { .. }
                    | Event::Kept { .. }
                    | Event::DeadlinePassed {}
            )
        };
        let leak = |e: &Event| matches!(e, Event::LateReply { class: Late::Leak, .. });
        let (_, since, pseq) = self.entries.iter().rfind(|(e, ..)| leak(e) || !kept(e)).unwrap();
        let state = &self.state;
        let terminal = state.phase.terminal();
        let mut open: Vec<_> = state
            .nodes()
            .filter(|(id, _)| !terminal || self.repaired(*id))
            .filter_map(|(id, n)| self.open(id, n))
            .collect();
        let leaks: Vec<&str> = state.leaks.iter().map(|node| &**node).collect();
        let paused = self.entries.iter().rev().find_map(|(e, ..)| match e {
            Event::Paused { reason, by, .. } => Some(format!("{by}: {reason}")),
            _ => None,
        });
        open.sort();
        let first = |pick: fn(&Open) -> Option<Micros>| open.iter().filter_map(pick).min();
        Row {
            version: state.origin.map(|o| o.version),
            status: self.status().to_owned(),
            parked: state.parked.as_deref().filter(|_| !terminal).map(str::to_owned),
            paused: paused.filter(|_| state.paused.is_some()),
            killed: state.killed.as_ref().map(|killed| format!("{}: {}", killed.by, killed.reason)),
            leaks: Some(leaks.join(" ")).filter(|leaks| !leaks.is_empty()),
            waiting: (first(|o| Some(o.since)), first(|o| o.until)),
            open: open.into_iter().map(|o| (o.node, o.text)).collect(),
            since: *since,
            began_and_ended: (self.time(|e| matches!(e, Event::Started { .. })), self.time(ends)),
            attempts: self.count(|round, attempt| round > 0 && attempt > 0),
            retries: self.count(|round, attempt| round > 1 || attempt > 1),
            last_error: self.entries.iter().rev().find_map(|(e, ..)| error(e)),
            why: state.why.as_ref().map(why),
            exceptions: state.exceptions,
            place: (self.shard, *pseq),
        }
    }

    fn status(&self) -> &'static str {
        match self.state.phase {
            _ if self.state.stuck => "stuck",
            Phase::None => "none",
            Phase::Forward => "forward",
            Phase::Committing => "committing",
            Phase::Finishing => "finishing",
            Phase::Undoing => "undoing",
            Phase::Completed => "completed",
            Phase::Compensated => "compensated",
            Phase::Killed => "killed",
        }
    }

    fn open(&self, id: NodeId, node: &NodeState) -> Option<Open> {
        let (def, path) = (&self.definition[id], &self.definition[id].path);
        let (last, since, _) = self.entries.iter().rfind(|(e, ..)| path_of(e) == Some(path))?;
        let asks = |undo: bool| match node.to.as_ref().unwrap() {
            To::Entity(address) => format!("reply of {address}"),
            To::Activity(name) => {
                let undo = node.undo.as_ref().filter(|_| undo).and_then(|plan| plan.activity.as_ref());
                format!("activity {}", undo.unwrap_or(name))
            }
        };
        let asked = |undo: bool, round: u32, attempt: u32| {
            let attempt = match node.to.as_ref().unwrap() {
                To::Entity(_) => String::new(),
                To::Activity(_) => format!(", attempt {attempt}"),
            };
            let round = if round > 1 { format!(", round {round}") } else { String::new() };
            format!("{}{attempt}{round}", asks(undo))
        };
        let text = match node.status {
            Status::Asked if matches!(last, Event::Draining { .. }) => {
                format!("last word of {}", asks(false))
            }
            Status::Asked => asked(false, node.tries.round, node.tries.attempt),
            Status::Waiting if def.class == Class::Wait => format!("signal {}", def.signal.unwrap()),
            Status::Waiting if def.class == Class::Timer => "timer".into(),
            Status::Waiting => "timer: next attempt".into(),
            Status::Undoing if self.state.phase.terminal() => "undo: its participant".into(),
            Status::Undoing => {
                format!("undo: {}", asked(true, node.undo_tries.round, node.undo_tries.attempt))
            }
            Status::UndoWaiting => "timer: next attempt of the undo".into(),
            Status::Probing | Status::Voiding if node.timer.is_some() => "timer: next attempt".into(),
            Status::Probing => settling("probe", node.probe.as_deref().unwrap()),
            Status::Voiding => settling("void", node.void.as_deref().unwrap()),
            Status::Blocked | Status::UndoStuck => "a person".into(),
            Status::Unknown if def.class == Class::Pivot => "a person".into(),
            _ => return None,
        };
        Some(Open { node: path.to_string(), text, since: *since, until: node.timer.map(|t| t.due) })
    }

    /// Whether a leak of the node is being undone after the end.
    fn repaired(&self, id: NodeId) -> bool {
        let repair =
            [Status::Undoing, Status::UndoWaiting, Status::UndoStuck].contains(&self.state[id].status);
        repair && self.state.leaks.contains(&self.definition[id].path)
    }

    fn time(&self, is: impl Fn(&Event) -> bool) -> Option<Micros> {
        self.entries.iter().find(|(e, ..)| is(e)).map(|(_, time, _)| *time)
    }

    fn count(&self, counts: impl Fn(u32, u32) -> bool) -> u32 {
        let asks = self.entries.iter().filter(|(e, ..)| match e {
            Event::StepAsked { round, attempt, .. }
            | Event::UndoAsked { round, attempt, .. }
            | Event::SettleAsked { round, attempt, .. } => counts(*round, *attempt),
            _ => false,
        });
        u32::try_from(asks.count()).unwrap()
    }
}

fn settling(word: &str, settle: &Settle) -> String {
    let round =
        if settle.tries.round > 1 { format!(", round {}", settle.tries.round) } else { String::new() };
    format!("{word}: activity {}, attempt {}{round}", settle.activity, settle.tries.attempt)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    node: String,
    text: String,
    since: Micros,
    until: Option<Micros>,
}

fn ends(event: &Event) -> bool {
    matches!(event, Event::Completed {} | Event::Compensated { .. } | Event::Killed { .. })
}

fn error(event: &Event) -> Option<String> {
    match event {
        Event::StepRefused { text: why, .. }
        | Event::StepUnknown { why, .. }
        | Event::AttemptFailed { why, .. }
        | Event::Blocked { why, .. }
        | Event::InDoubt { why, .. }
        | Event::UndoStuck { why, .. } => Some(why.to_string()),
        _ => None,
    }
}

fn why(why: &Why) -> (String, Option<String>) {
    match why {
        Why::Refused { node, code, .. } => (code.to_string(), Some(node.to_string())),
        Why::Unknown { node, .. } => ("unknown".into(), Some(node.to_string())),
        Why::TimedOut { node } => ("timed_out".into(), Some(node.to_string())),
        Why::Cancelled { .. } => ("cancelled".into(), None),
        Why::Deadline => ("deadline".into(), None),
        other => panic!("{other:?}"),
    }
}

fn path_of(event: &Event) -> Option<&Arc<str>> {
    match event {
        Event::StepAsked { node, .. }
        | Event::WaitBegan { node, .. }
        | Event::Draining { node, .. }
        | Event::UndoAsked { node, .. }
        | Event::UndoStuck { node, .. }
        | Event::Blocked { node, .. }
        | Event::InDoubt { node, .. }
        | Event::TimedOut { node, .. }
        | Event::Awaited { node, .. }
        | Event::SettleAsked { node, .. }
        | Event::AttemptFailed { node, .. } => Some(node),
        _ => None,
    }
}
