//! Waits: signals with early arrival, timers of the user. A signal is recorded when it comes and taken by the oldest
//! open wait of its name, or by the next one to open.

use std::sync::Arc;

use palinode::commit::{TimerChanges, TimerRef, TimerSet};

use crate::{
    coordinator::{Broken, Said, Work},
    definition::{Class, Definition, NodeId},
    event::{Event, Kept, Timer},
    outcome::{Raw, fits},
    state::{DEADLINE, Phase, State, Status},
    verb::No,
};

/// How many signals of one name are kept for waits that have not opened.
pub(crate) const BUFFER: usize = 100;

/// What changed between the timers of two states. The timer that is the cause is cleared without being named; so were
/// those that fired while the instance was set aside.
pub(crate) fn timer_changes(
    def: &Definition,
    old: &State,
    new: &State,
    cause: Option<(&str, u64)>,
) -> TimerChanges {
    let fired = |name: &str, of: u64| {
        let kept = |k: &Kept| matches!(k, Kept::Timer { node, serial } if (&**node, *serial) == (name, of));
        cause == Some((name, of)) || old.kept.iter().any(kept)
    };
    let mut changes = TimerChanges::default();
    let mut change = |name: &str, was: Option<Timer>, is: Option<Timer>| {
        if was == is {
            return;
        }
        if let Some(Timer { serial, .. }) = was.filter(|t| !fired(name, t.serial)) {
            changes.clear.push(TimerRef { node: name.into(), serial });
        }
        if let Some(Timer { serial, due }) = is {
            changes.set.push(TimerSet { node: name.into(), serial, due });
        }
    };
    change(DEADLINE, old.deadline, new.deadline);
    for ((id, was), (_, is)) in old.nodes().zip(new.nodes()) {
        change(&def[id].path, was.timer, is.timer);
    }
    changes
}

impl Work<'_> {
    /// Rows 15 and 21, and what a wait makes of it.
    pub(crate) fn signal(&mut self, name: &str, id: &Arc<str>, data: &Raw) -> Result<Said, Broken> {
        match self.state.phase {
            Phase::None => return Ok(Said::No(No::NotStarted)),
            phase if phase.terminal() => return Ok(Said::No(No::Ended)),
            _ => {}
        }
        let Some(waiter) = self.def.nodes().find(|(_, n)| n.signal == Some(name)).map(|(id, _)| id) else {
            return Ok(Said::No(No::NoSuchSignal));
        };
        if self.state.signal_ids.contains(id) {
            return Ok(Said::Duplicate);
        }
        if self.state.signals.iter().filter(|s| &*s.name == name).count() >= BUFFER {
            return Ok(Said::No(No::BufferFull));
        }
        if let Err(why) = fits("a signal", data) {
            return Ok(Said::Invalid(why.into()));
        }
        if let Some(decode) = &self.def[waiter].code.decode
            && let Err(why) = self.pure(waiter, "signal", |_| decode(data).map(drop))?
        {
            return Ok(Said::Invalid(why.into()));
        }
        let undoing = self.state.phase == Phase::Undoing;
        let mut waits =
            self.def.nodes().filter(|(id, n)| n.signal == Some(name) && open_for(self.state[*id].status));
        let open = waits.next().map(|(id, _)| id).filter(|_| !undoing && self.state.paused.is_none());
        let came = self.came.filter(|came| came.sampled && open.is_none() && !undoing);
        self.emit(Event::Signalled {
            name: name.into(),
            id: Arc::clone(id),
            data: Arc::clone(data),
            traceparent: came.map(|came| came.traceparent()),
        })?;
        if undoing {
            return Ok(Said::Kept);
        }
        let Some(open) = open else { return Ok(Said::Buffered) };
        self.take_signal(open)?;
        self.advance()?;
        Ok(Said::Taken)
    }

    /// Opens a wait or a timer; an early signal closes it at once.
    pub(crate) fn begin_wait(&mut self, id: NodeId) -> Result<(), Broken> {
        let node = &self.def[id];
        let timer = self.new_timer(self.cx.time.plus(node.timeout.unwrap_or_default()));
        let signal = node.signal.map(Arc::from);
        self.emit(Event::WaitBegan { node: self.path(id), signal, timer })?;
        self.take_signal(id)
    }

    /// Gives the oldest signal of its name, if there is one, to an open wait.
    pub(crate) fn take_signal(&mut self, id: NodeId) -> Result<(), Broken> {
        let node = &self.def[id];
        let Some(name) = node.signal else { return Ok(()) };
        let Some(signal) = self.state.signals.iter().find(|s| &*s.name == name).cloned() else {
            return Ok(());
        };
        let mut data = None;
        if let (Some(decode), Some(save)) = (&node.code.decode, &node.code.save) {
            let saved = self.pure(id, "save", |data| save(data, &*decode(&signal.data)?))?;
            saved.map_err(Broken)?;
            data = self.changed_data(id)?;
        }
        self.emit(Event::WaitDone { node: self.path(id), id: Some(signal.id), data })
    }

    /// The timer of an open wait fired.
    pub(crate) fn wait_over(&mut self, id: NodeId) -> Result<(), Broken> {
        if self.def[id].class == Class::Timer {
            self.emit(Event::WaitDone { node: self.path(id), id: None, data: None })?;
            return self.advance();
        }
        self.timed_out(id)
    }
}

/// A wait that blocked after the pivot still takes its signal when it comes.
fn open_for(status: Status) -> bool {
    matches!(status, Status::Waiting | Status::Blocked)
}
