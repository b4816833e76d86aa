//! Standing still, and being set free. While an instance is paused its timers stand still and nothing is asked; answers
//! that come are kept, and taken when it is resumed. A parked instance keeps everything, and takes it when it is
//! unparked: then its code is mended, or it stays parked.

use std::{sync::Arc, time::Duration};

use palinode::trace::SpanContext;

use crate::{
    coordinator::{Broken, Work},
    entity::{message, reply},
    event::{Event, Kept, Left, NodeTimer, Timer, Why},
    state::{DEADLINE, Phase, Status},
    verb::{No, Order},
};

type Obeyed = Result<Result<(), No>, Broken>;

impl Work<'_> {
    /// Row 19. Attempts that run come to their end by themselves; their outcomes are kept.
    pub(crate) fn pause(&mut self, order: &Order) -> Obeyed {
        if let Some(no) = self.cannot() {
            return Ok(Err(no));
        }
        if self.state.paused.is_some() {
            return Ok(Err(No::Paused));
        }
        let at = self.cx.time;
        let left = |node: &Arc<str>, timer: Option<Timer>| {
            let left = timer?.due.since(at).as_micros();
            Some(Left { node: Arc::clone(node), micros: u64::try_from(left).unwrap_or(u64::MAX) })
        };
        let of_nodes = self.def.nodes().filter_map(|(id, node)| left(&node.path, self.state[id].timer));
        let left = left(&DEADLINE.into(), self.state.deadline).into_iter().chain(of_nodes).collect();
        let (reason, by) = (Arc::clone(&order.reason), Arc::clone(&order.by));
        Ok(Ok(self.emit(Event::Paused { reason, by, at, left })?))
    }

    /// Row 19. A cancel that came meanwhile goes first, so that nothing is asked before it.
    pub(crate) fn resume(&mut self, order: &Order) -> Obeyed {
        if let Some(no) = self.cannot() {
            return Ok(Err(no));
        }
        let Some(paused) = self.state.paused.clone() else { return Ok(Err(No::NotPaused)) };
        let at = self.cx.time;
        let again = |Left { node, micros }: Left| {
            let micros = if palinode::zoo!("time-passes-in-a-pause") { 0 } else { micros };
            let timer = self.new_timer(at.plus(Duration::from_micros(micros)));
            NodeTimer { node, timer }
        };
        let timers = paused.left.into_iter().map(again).collect();
        let mut kept = std::mem::take(&mut self.state.kept);
        if !kept.is_empty() {
            palinode::sometimes!("resumed with answers that were kept");
        }
        if palinode::zoo!("answers-of-a-pause-forgotten") {
            kept.clear();
        }
        let (reason, by) = (Arc::clone(&order.reason), Arc::clone(&order.by));
        self.emit(Event::Resumed { reason, by, at, timers })?;
        if let (Phase::Forward, Some(cancel)) = (self.state.phase, self.state.cancel.clone()) {
            palinode::sometimes!("resumed with a cancel that waited");
            self.begin_undo(Why::Cancelled { reason: cancel.reason, by: cancel.by })?;
        }
        self.take_kept(&kept)?;
        self.take_signals()?;
        Ok(Ok(()))
    }

    /// Takes what was kept, in its order. What still cannot be taken leaves everything as it was.
    pub(crate) fn unpark(&mut self, order: &Order) -> Obeyed {
        match self.cannot() {
            Some(No::Parked { .. }) => {}
            Some(no) => return Ok(Err(no)),
            None => return Ok(Err(No::NotParked)),
        }
        let mut kept = std::mem::take(&mut self.state.kept);
        if palinode::zoo!("unparked-without-what-was-kept") {
            kept.clear();
        }
        let (reason, by) = (Arc::clone(&order.reason), Arc::clone(&order.by));
        self.emit(Event::Unparked { reason, by })?;
        self.take_kept(&kept)?;
        palinode::sometimes!("saga set free");
        Ok(Ok(()))
    }

    fn take_kept(&mut self, kept: &[Kept]) -> Result<(), Broken> {
        for input in kept {
            // It was set aside while it stood still: answers wait for the end of the pause.
            if self.state.paused.is_some() && !matches!(input, Kept::Message { .. }) {
                self.emit(Event::Kept { input: input.clone() })?;
                continue;
            }
            match input {
                Kept::Reply { re, data } => {
                    let (key, round) = re.rsplit_once('/').unwrap_or((re, ""));
                    self.answer(key, round.parse().unwrap_or(0), None, &reply(data))?;
                }
                Kept::Attempt { key, round, attempt, answer } => {
                    self.answer(key, *round, Some(*attempt), answer)?;
                }
                Kept::Timer { node, serial } => self.timer(node, *serial)?,
                Kept::Message { name, data, traceparent } => {
                    let now = std::mem::replace(&mut self.came, SpanContext::read(traceparent.as_ref()));
                    // Its sender was told that it is kept; a refusal now changes nothing.
                    if let Ok(input) = message(self.def, name, data) {
                        self.take(&input)?;
                    }
                    self.came = now;
                }
            }
        }
        Ok(())
    }

    /// Signals that came during the pause, to the waits that are open.
    fn take_signals(&mut self) -> Result<(), Broken> {
        if self.state.phase == Phase::Undoing || self.state.phase.terminal() {
            return Ok(());
        }
        let waits: Vec<_> =
            self.def.nodes().filter(|(_, node)| node.signal.is_some()).map(|(id, _)| id).collect();
        for id in waits {
            if matches!(self.state[id].status, Status::Waiting | Status::Blocked) {
                self.take_signal(id)?;
            }
        }
        self.advance()
    }
}
