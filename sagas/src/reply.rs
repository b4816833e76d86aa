//! Answers: to the node that waits for them, or into the journal with their class (rows 16 and 21, U8, U9).

use palinode::activity::To;

use crate::{
    coordinator::{Broken, Work},
    definition::{Class, NodeId},
    event::{Direction, Event, Late},
    outcome::Answer,
    state::Status,
};

impl Work<'_> {
    /// An answer goes to the node that waits for it; otherwise row 16 or 21.
    pub(crate) fn answer(
        &mut self,
        key: &str,
        round: u32,
        attempt: Option<u32>,
        answer: &Answer,
    ) -> Result<(), Broken> {
        let place = key
            .rsplit_once('/')
            .and_then(|(path, direction)| Some((self.def.find(path)?, Direction::of(direction)?)));
        let Some((id, direction)) = place else {
            return self.late(key, round, Late::Unexpected, answer);
        };
        let node = &self.state[id];
        let tries = node.tries_of(direction);
        let awaited = match direction {
            Direction::Do => self.awaits_answer(id),
            Direction::Undo => matches!(node.status, Status::Undoing | Status::UndoStuck),
            Direction::Probe => node.status == Status::Probing,
            Direction::Void => node.status == Status::Voiding,
        };
        let current = tries.round == round && attempt.is_none_or(|a| a == tries.attempt);
        if direction == Direction::Undo && node.owes && attempt.is_none() {
            let path = &self.def[id].path;
            return Err(Broken(format!(
                "node {path}: its entity answered the undo and still owes the answer to the ask"
            )));
        }
        // After the end only what leaked is still being undone.
        let over = self.state.phase.terminal()
            && !(direction == Direction::Undo && self.state.leaks.contains(&self.def[id].path));
        if over || !awaited || !current {
            let class = self.class_of_late(id, direction, answer);
            self.late(key, round, class, answer)?;
            let again = class == Late::Leak && !over && self.state[id].status == Status::Undone;
            return if again { self.ask_undo(id) } else { Ok(()) };
        }
        match direction {
            Direction::Do => self.answered(id, answer),
            Direction::Undo => self.undo_answered(id, answer),
            Direction::Probe | Direction::Void => self.settled(id, direction, answer),
        }
    }

    /// Whether an answer to the ask still decides something: while it is asked, and after it was taken for unknown as
    /// long as its undo was not asked (U8).
    fn awaits_answer(&self, id: NodeId) -> bool {
        match self.state[id].status {
            Status::Asked | Status::Unknown | Status::Probing | Status::Voiding => true,
            Status::Blocked => matches!(self.def[id].class, Class::Retriable | Class::Read),
            _ => false,
        }
    }

    fn class_of_late(&self, id: NodeId, direction: Direction, answer: &Answer) -> Late {
        let node = &self.state[id];
        let activity = node.to.as_ref().is_some_and(|to| matches!(to, To::Activity(_)));
        let undo_asked = node.undo_tries.round > 0;
        match (direction, node.status) {
            _ if node.tries.round == 0 => Late::Unexpected,
            (Direction::Probe | Direction::Void, _) => Late::NotNeeded,
            (Direction::Do, Status::Undone | Status::Refused)
                if activity && self.def[id].class != Class::Read && matches!(answer, Answer::Done(_)) =>
            {
                Late::Leak
            }
            (Direction::Do, _) if undo_asked => Late::AfterUndo,
            (Direction::Undo, _) if !undo_asked => Late::Unexpected,
            (Direction::Do, Status::Skipped) => Late::NotNeeded,
            (Direction::Do, Status::Done | Status::Refused) | (Direction::Undo, Status::Undone) => {
                Late::Duplicate
            }
            _ if self.state.phase.terminal() => Late::Ended,
            _ => Late::Duplicate,
        }
    }

    pub(crate) fn late(&mut self, key: &str, round: u32, class: Late, answer: &Answer) -> Result<(), Broken> {
        match class {
            Late::AfterUndo => palinode::sometimes!("late reply after the undo"),
            Late::Ended => palinode::sometimes!("late reply after the end"),
            _ => palinode::sometimes!("reply nobody waits for"),
        }
        self.emit(Event::LateReply { re: format!("{key}/{round}").into(), class, answer: answer.clone() })
    }
}
