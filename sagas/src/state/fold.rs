//! The fold of the journal into the state: what each entry changes. Whether an entry may come is not asked here.

use std::{sync::Arc, time::Duration};

use palinode::{Micros, activity::To};

use crate::{
    definition::{Definition, Then},
    event::{Direction, Event, Late, NodeTimer, Timer},
    outcome::Raw,
    state::{
        Buffered, Cancel, DEADLINE, Killed, Origin, Paused, Phase, Settle, State, Status, Tries, digest_of,
    },
    verb::Verb,
};

impl State {
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
            Event::Signalled { name, id, data, traceparent } => {
                self.signal_ids.insert(Arc::clone(id));
                let (name, id, data) = (Arc::clone(name), Arc::clone(id), Arc::clone(data));
                self.signals.push(Buffered { name, id, data, traceparent: traceparent.clone() });
            }
            Event::LateReply { re, class, .. } => self.late(definition, re, *class),
            Event::CancelAsked { reason, by } => {
                self.cancel = Some(Cancel { reason: Arc::clone(reason), by: Arc::clone(by) });
            }
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
            Event::Unparked { .. } => {
                self.parked = None;
                self.kept.clear();
            }
            Event::Paused { at, left, .. } => {
                self.paused = Some(Paused { at: *at, left: left.clone() });
                self.drop_timers();
            }
            Event::Resumed { at, timers, .. } => self.resumed(definition, *at, timers),
            Event::Intervened { verb, node, .. } => self.intervened(definition, *verb, node),
            Event::Leaked { node, .. } => {
                self.leaks.insert(Arc::clone(node));
                self.exceptions = self.exceptions.saturating_add(1);
            }
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
                node.owes = matches!(node.to, Some(To::Entity(_)));
                if definition[id].class == crate::definition::Class::Pivot {
                    self.phase = Phase::Committing;
                }
            }
            Event::StepDone { data, undo, .. } => {
                node.status = Status::Done;
                node.owes = false;
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
                node.owes = false;
                node.request = None;
                node.undo = None;
                node.why = Some(Arc::clone(text));
            }
            Event::StepUnknown { why, .. } => node.fail(Status::Unknown, why),
            Event::InDoubt { why, .. } => node.fail(Status::Unknown, why),
            Event::Blocked { why, .. } => node.fail(Status::Blocked, why),
            Event::UndoStuck { why, .. } => node.fail(Status::UndoStuck, why),
            Event::AttemptFailed { direction, how, why, .. } => {
                node.owes &= *direction != Direction::Do;
                if let Some(tries) = node.tries_mut(*direction) {
                    tries.fail(*how);
                }
                let waiting = match direction {
                    Direction::Do => Status::Waiting,
                    Direction::Undo => Status::UndoWaiting,
                    Direction::Probe | Direction::Void => node.status,
                };
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
            Event::Undone { .. } => {
                node.status = Status::Undone;
                self.leaks.remove(path);
            }
            Event::Awaited { direction: Direction::Undo, .. } => node.status = Status::Undoing,
            Event::Awaited { .. } => node.status = Status::Asked,
            Event::SettleAsked { direction, round, attempt, at, activity, request, .. } => {
                let void = *direction == Direction::Void;
                node.status = if void { Status::Voiding } else { Status::Probing };
                let settle = node.settle(*direction);
                if let (Some(activity), Some(request)) = (activity, request) {
                    let (activity, request) = (Arc::clone(activity), Arc::clone(request));
                    *settle = Some(Box::new(Settle { activity, request, tries: Tries::default() }));
                }
                if let Some(settle) = settle {
                    settle.tries.ask(*round, *attempt, Some(*at));
                }
            }
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
        self.paused = None;
        // Nobody takes what a killed instance kept while it was set aside, and nothing more is kept.
        self.parked = None;
        self.kept.clear();
        self.drop_timers();
    }

    fn drop_timers(&mut self) {
        self.deadline = None;
        self.nodes.iter_mut().for_each(|node| node.timer = None);
    }

    /// Time stood still: what counts from a point in time counts from a later one.
    fn resumed(&mut self, definition: &Definition, at: Micros, timers: &[NodeTimer]) {
        let stood = self.paused.take().map_or(Duration::ZERO, |paused| at.since(paused.at));
        for node in &mut self.nodes {
            for direction in [Direction::Do, Direction::Undo, Direction::Probe, Direction::Void] {
                if let Some(tries) = node.tries_mut(direction) {
                    tries.at = tries.at.map(|at| at.plus(stood));
                }
            }
        }
        for NodeTimer { node, timer } in timers {
            if &**node == DEADLINE {
                self.set_deadline(Some(*timer));
            } else if let Some(id) = definition.find(node) {
                self.serial = self.serial.max(timer.serial);
                self[id].timer = Some(*timer);
            }
        }
        self.kept.clear();
    }

    /// What a person does to a node renews its budget, or closes it as an exception; the entry after it says which.
    fn intervened(&mut self, definition: &Definition, verb: Verb, node: &Arc<str>) {
        if matches!(verb, Verb::Skip | Verb::MarkDone) {
            self.exceptions = self.exceptions.saturating_add(1);
        }
        if let Some(id) = definition.find(node) {
            let node = &mut self[id];
            match node.status {
                Status::UndoStuck | Status::UndoWaiting | Status::Undone => node.undo_tries.renew(),
                _ => node.tries.renew(),
            }
            for settle in [&mut node.probe, &mut node.void].into_iter().flatten() {
                settle.tries.renew();
            }
        }
    }

    /// An entity owes nothing any more. What is done although it was undone leaked, and is undone in a new round (U9).
    fn late(&mut self, definition: &Definition, re: &str, class: Late) {
        let Some((path, "do")) = re.rsplit_once('/').and_then(|(key, _)| key.rsplit_once('/')) else {
            return;
        };
        let Some(id) = definition.find(path) else { return };
        self[id].owes = false;
        if class == Late::Leak {
            self.leaks.insert(Arc::clone(&definition[id].path));
            let tries = &mut self[id].undo_tries;
            tries.renew();
            tries.refused = true;
        }
    }
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
            | Event::Unparked { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Intervened { .. }
            | Event::Leaked { .. }
    )
}
