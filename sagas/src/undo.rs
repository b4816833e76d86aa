//! What is undone, and in which order.
//!
//! | rule | here |
//! |---|---|
//! | U1 the set | every compensatable node that was asked and not definitely refused, the one that failed as unknown too |
//! | U2 the order | a node is undone when everything that followed it is undone, refused, or was never asked |
//! | U3 | after `UndoBegan` nothing is asked forward: `advance` is not reached in `Undoing` |
//! | U4 | what is in flight drains: an entity's answer is awaited, an activity has its grace time |
//! | U8 | a late answer before the undo is asked goes to `answered`, after it to `late` |
//! | U9 | what is done after it was undone leaked: a new round of the undo, after the end by a person; an entity that answers the undo before the ask parks the instance |
//! | U10 | a refused undo is not done: a new round, then stuck; independent undos go on |
//! | U11 | nothing here is dropped by cancel or deadline |

use std::sync::Arc;

use palinode::activity::To;

use crate::{
    coordinator::{Broken, Work},
    definition::{Class, NodeId},
    event::{Direction, Event, How, SkippedBy, Why},
    outcome::Answer,
    retry::{GRACE, LOST},
    state::Status,
};

impl Work<'_> {
    /// Row 4: from here on the saga is taken back.
    pub(crate) fn begin_undo(&mut self, why: Why) -> Result<(), Broken> {
        self.emit(Event::UndoBegan { why })?;
        palinode::sometimes!("saga turned back");
        for (id, _) in self.def.nodes() {
            self.let_go(id)?;
        }
        self.rewind()
    }

    /// What becomes of an open node when the saga turns back.
    fn let_go(&mut self, id: NodeId) -> Result<(), Broken> {
        let def = &self.def[id];
        let (status, activity) = {
            let node = &self.state[id];
            (node.status, matches!(node.to, Some(To::Activity(_))))
        };
        match (status, def.class) {
            (Status::Asked, Class::Compensatable) if activity => {
                self.stop(id, Direction::Do);
                let timer = self.new_timer(self.cx.time.plus(GRACE));
                self.emit(Event::Draining { node: self.path(id), timer })
            }
            (Status::Waiting, Class::Compensatable) => self.conclude(id),
            (Status::Asked | Status::Waiting, Class::Read | Class::Wait | Class::Timer) => {
                self.stop(id, Direction::Do);
                self.emit(Event::Skipped { node: self.path(id), why: SkippedBy::Undo })
            }
            _ => Ok(()),
        }
    }

    /// Asks every undo that became ready; ends the saga when all is taken back. Nodes are numbered in the order of the
    /// graph, so one walk from the last to the first sees whatever followed a node before the node.
    pub(crate) fn rewind(&mut self) -> Result<(), Broken> {
        let mut open = vec![false; self.state.nodes.len()];
        let mut any = false;
        for (id, def) in self.def.nodes().rev() {
            let behind = def.next.iter().any(|next| open.get(next.0).copied().unwrap_or(false))
                && !palinode::zoo!("undone-all-at-once");
            if !behind && self.to_be_undone(id) {
                self.ask_undo(id)?;
            }
            let is_open = behind || !self.taken_back(id);
            any |= is_open;
            if let Some(slot) = open.get_mut(id.0) {
                *slot = is_open;
            }
        }
        if any && !palinode::zoo!("compensated-before-the-undos") {
            return Ok(());
        }
        let exceptions = self.state.exceptions;
        self.emit(Event::Compensated { exceptions })
    }

    fn to_be_undone(&self, id: NodeId) -> bool {
        let node = &self.state[id];
        let unknown = node.status == Status::Unknown && !palinode::zoo!("unknown-step-not-undone");
        (node.status == Status::Done || unknown) && node.undo.is_some()
    }

    /// Whether nothing of a node stands any more.
    fn taken_back(&self, id: NodeId) -> bool {
        let node = &self.state[id];
        match node.status {
            Status::Idle | Status::Skipped | Status::Refused | Status::Undone => true,
            Status::Unknown if palinode::zoo!("unknown-step-not-undone") => true,
            Status::Done | Status::Unknown => node.undo.is_none(),
            _ => false,
        }
    }

    /// Asks the recorded undo: the next attempt, or after a refusal the next round.
    pub(crate) fn ask_undo(&mut self, id: NodeId) -> Result<(), Broken> {
        let node = &self.state[id];
        let tries = node.undo_tries;
        let Some(data) = node.undo.as_ref().map(|plan| Arc::clone(&plan.data)) else { return Ok(()) };
        let (round, attempt) = match tries.round {
            0 => (1, 1),
            round if tries.refused => (round + 1, 1),
            round => (round, tries.attempt + 1),
        };
        let at = tries.at.unwrap_or(self.cx.time);
        self.emit(Event::UndoAsked { node: self.path(id), round, attempt, at })?;
        self.send(id, Direction::Undo, &data);
        Ok(())
    }

    /// Rows 13 and 14.
    pub(crate) fn undo_answered(&mut self, id: NodeId, answer: &Answer) -> Result<(), Broken> {
        match answer {
            Answer::Done(_) => {
                let round = self.state[id].undo_tries.round;
                self.emit(Event::Undone { node: self.path(id), round })?;
                if self.state.phase.terminal() { Ok(()) } else { self.rewind() }
            }
            Answer::Refused(_) if palinode::zoo!("refused-undo-is-done") => {
                let round = self.state[id].undo_tries.round;
                self.emit(Event::Undone { node: self.path(id), round })?;
                self.rewind()
            }
            Answer::Refused(refused) => self.undo_failed(id, How::Refused, &refused.text),
            Answer::Transient(why) => self.undo_failed(id, How::Transient, why),
            Answer::Unknown(why) => self.undo_failed(id, How::Unknown, why),
            Answer::Fatal(why) => self.undo_failed(id, How::Fatal, why),
            Answer::Lost => self.undo_failed(id, How::Lost, &"its owner is gone".into()),
        }
    }

    fn undo_failed(&mut self, id: NodeId, how: How, why: &Arc<str>) -> Result<(), Broken> {
        let (node, retry) = (&self.state[id], self.def[id].undo_retry);
        let tries = node.undo_tries;
        let stuck_already = node.status == Status::UndoStuck;
        let activity = matches!(node.to, Some(To::Activity(_)));
        let wait = retry.wait(tries.failures + 1, self.draw());
        let next = self.cx.time.plus(wait).since(tries.at.unwrap_or(self.cx.time));
        let spent = stuck_already
            || how == How::Fatal
            || (how == How::Lost && tries.lost + 1 >= LOST)
            || (!activity && how != How::Refused)
            || retry.spent(tries.failures + 1, next);
        let timer = (!spent).then(|| self.new_timer(self.cx.time.plus(wait)));
        self.attempt_failed(id, Direction::Undo, how, why, tries.round, timer)?;
        if !spent {
            return Ok(());
        }
        palinode::sometimes!("undo stuck");
        self.emit(Event::UndoStuck { node: self.path(id), why: Arc::clone(why) })
    }
}
