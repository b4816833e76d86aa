//! What a person may do. Each verb is one commit that says who and why, and is answered with where the instance stands
//! then. What is not allowed changes nothing, and the answer says why. Tests read both tables and drive every pair.
//!
//! Of the whole instance; `=` stays, a word after `/` is the code of the refusal, numbers are rows of the specification:
//!
//! ```text
//! | instance    | cancel         | kill           | pause          | resume         | unpark         |
//! |-------------|----------------|----------------|----------------|----------------|----------------|
//! | None        | =/not_started  | =/not_started  | =/not_started  | =/not_started  | =/not_started  |
//! | Forward     | Undoing 4      | Killed 18      | = 19           | =/not_paused   | =/not_parked   |
//! | Committing  | = 9            | Killed 18      | = 19           | =/not_paused   | =/not_parked   |
//! | Finishing   | =/past_pivot 12 | Killed 18     | = 19           | =/not_paused   | =/not_parked   |
//! | Undoing     | = 15           | Killed 18      | = 19           | =/not_paused   | =/not_parked   |
//! | Completed   | =/ended 21     | =/ended 21     | =/ended 21     | =/ended 21     | =/ended 21     |
//! | Compensated | =/ended 21     | =/ended 21     | =/ended 21     | =/ended 21     | =/ended 21     |
//! | Killed      | =/ended 21     | =/ended 21     | =/ended 21     | =/ended 21     | =/ended 21     |
//! | paused      | =              | Killed 18      | =/paused       | = 19           | =/not_parked   |
//! | parked      | =/parked       | Killed 18      | =/parked       | =/parked       | =              |
//! ```
//!
//! Of a node: the words are states of the node.
//!
//! ```text
//! | node is      | retry    | skip     | mark_done | mark_not_done | undo_again |
//! |--------------|----------|----------|-----------|---------------|------------|
//! | Idle         | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | Asked        | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | pausing      | Asked    | =/not_now | =/not_now | =/not_now    | =/not_now  |
//! | wait         | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | Done         | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | Refused      | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | Unknown      | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | in doubt     | Asked    | =/not_now | Done      | Refused       | =/not_now  |
//! | Probing      | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | Voiding      | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | voidable     | Asked    | =/not_now | Done      | Voiding       | =/not_now  |
//! | Skipped      | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | Blocked      | Asked    | Skipped  | Done      | Waiting       | =/not_now  |
//! | blocked wait | Waiting  | Skipped  | =/not_now | =/not_now     | =/not_now  |
//! | Undoing      | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | UndoWaiting  | Undoing  | =/not_now | =/not_now | =/not_now    | =/not_now  |
//! | Undone       | =/not_now | =/not_now | =/not_now | =/not_now   | =/not_now  |
//! | UndoStuck    | Undoing  | Skipped  | Undone    | UndoWaiting   | =/not_now  |
//! | leaked       | =/ended  | =/ended  | =/ended   | =/ended       | Undoing    |
//! ```
//!
//! A verb renews the budget of its node. After a refusal the next ask is a new round, after anything else the next
//! attempt of the same; what an entity was asked and has not refused is not sent again, its answer is awaited again.

use std::sync::Arc;

use palinode::activity::To;

use crate::{
    coordinator::{Broken, Said, Work},
    definition::{Class, NodeId},
    event::{Direction, Event, How, SkippedBy, Why},
    outcome::{Raw, Refused},
    situation::Situation,
    state::{Phase, Status},
    verb::{No, Order, Verb},
};

/// A verb was carried out, or why not.
type Obeyed = Result<Result<(), No>, Broken>;

impl Work<'_> {
    /// Rows 17 to 19, and the table of verbs.
    pub(crate) fn order(&mut self, order: &Order) -> Result<Said, Broken> {
        let done = match order.verb {
            Verb::Cancel => self.cancel(order),
            Verb::Kill => self.kill(order),
            Verb::Pause => self.pause(order),
            Verb::Resume => self.resume(order),
            Verb::Unpark => self.unpark(order),
            _ => self.intervene(order),
        }?;
        Ok(match done {
            Ok(()) => Said::Obeyed(Box::new(Situation::of(self.def, &self.state, None))),
            Err(no) => Said::No(no),
        })
    }

    /// Why no verb but one can be carried out in this state of the instance.
    pub(crate) fn cannot(&self) -> Option<No> {
        match self.state.phase {
            Phase::None if self.state.parked.is_none() => Some(No::NotStarted),
            phase if phase.terminal() => Some(No::Ended),
            _ => self.state.parked.as_ref().map(|why| No::Parked { why: Arc::clone(why) }),
        }
    }

    /// Rows 4, 9, 12, 15, 21. During a pause it is recorded, and honoured when the pause ends.
    fn cancel(&mut self, order: &Order) -> Obeyed {
        if let Some(no) = self.cannot() {
            return Ok(Err(no));
        }
        let (reason, by) = (Arc::clone(&order.reason), Arc::clone(&order.by));
        match self.state.phase {
            Phase::Finishing if self.state.cancel_too_late => {
                palinode::sometimes!("cancel lost against the pivot");
                return Ok(Err(No::TooLate));
            }
            Phase::Finishing => return Ok(Err(No::PastPivot)),
            Phase::Forward if self.state.paused.is_none() => {
                self.begin_undo(Why::Cancelled { reason, by })?;
            }
            Phase::Forward | Phase::Committing if self.state.cancel.is_none() => {
                self.emit(Event::CancelAsked { reason, by })?;
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    /// Row 18.
    fn kill(&mut self, order: &Order) -> Obeyed {
        if let Some(no) = self.cannot().filter(|no| !matches!(no, No::Parked { .. })) {
            return Ok(Err(no));
        }
        for (id, _) in self.def.nodes() {
            for direction in [Direction::Do, Direction::Undo, Direction::Probe, Direction::Void] {
                self.stop(id, direction);
            }
        }
        let (reason, by) = (Arc::clone(&order.reason), Arc::clone(&order.by));
        let standing = self.standing();
        Ok(Ok(self.emit(Event::Killed { reason, by, standing })?))
    }

    /// Effect keys of everything that was asked, not definitely refused, and not taken back.
    fn standing(&self) -> Vec<Arc<str>> {
        let stands = |id: NodeId| {
            let (node, def) = (&self.state[id], &self.def[id]);
            let effect = matches!(def.class, Class::Compensatable | Class::Pivot | Class::Retriable);
            let gone = matches!(node.status, Status::Refused | Status::Skipped | Status::Undone);
            let leaked = self.state.leaks.contains(&def.path);
            effect && node.tries.round > 0 && (leaked || !gone)
        };
        self.def.nodes().filter(|(id, _)| stands(*id)).map(|(_, node)| Arc::clone(&node.do_key)).collect()
    }

    /// A verb about one node.
    fn intervene(&mut self, order: &Order) -> Obeyed {
        let path = order.node.as_deref().unwrap_or_default();
        let Some(id) = self.def.find(path) else {
            let there = self.def.nodes().map(|(_, node)| Arc::clone(&node.path)).collect();
            return Ok(Err(No::NoSuchNode { node: path.into(), there }));
        };
        let repair = order.verb == Verb::UndoAgain && self.state.phase.terminal();
        if let Some(no) = self.cannot().filter(|_| !repair) {
            return Ok(Err(no));
        }
        if self.state.paused.is_some() {
            return Ok(Err(No::Paused));
        }
        match order.verb {
            Verb::Retry => self.retry(id, order),
            Verb::Skip => self.skip(id, order),
            Verb::MarkDone => self.mark_done(id, order),
            Verb::MarkNotDone => self.mark_not_done(id, order),
            _ => self.undo_again(id, order),
        }
    }

    fn retry(&mut self, id: NodeId, order: &Order) -> Obeyed {
        let waits = matches!(self.def[id].class, Class::Wait | Class::Timer);
        match self.state[id].status {
            Status::Blocked if waits => {
                self.intervened(id, order)?;
                self.begin_wait(id)?;
                self.advance()?;
            }
            Status::Blocked if self.state[id].tries.round == 0 => {
                self.intervened(id, order)?;
                self.ask(id)?;
            }
            Status::Waiting if waits => {
                return Ok(Err(self.not_now(id, "an open wait has nothing to retry")));
            }
            Status::Blocked | Status::Waiting => {
                self.intervened(id, order)?;
                self.again(id, Direction::Do)?;
            }
            Status::Unknown if self.in_doubt(id) => {
                self.intervened(id, order)?;
                self.again(id, Direction::Do)?;
            }
            Status::UndoStuck | Status::UndoWaiting => {
                self.intervened(id, order)?;
                self.again(id, Direction::Undo)?;
            }
            _ => {
                let hint =
                    "retry is for a node that is blocked, in doubt, stuck, or waits for its next attempt";
                return Ok(Err(self.not_now(id, hint)));
            }
        }
        Ok(Ok(()))
    }

    /// Asks once more, or waits once more for an entity that has the message already.
    fn again(&mut self, id: NodeId, direction: Direction) -> Result<(), Broken> {
        let node = &self.state[id];
        let tries = node.tries_of(direction);
        let entity = matches!(node.to, Some(To::Entity(_)));
        match direction {
            _ if entity && !tries.refused => {
                let within = self.def[id].timeout.filter(|_| direction == Direction::Do);
                let timer = within.map(|within| self.new_timer(self.cx.time.plus(within)));
                self.emit(Event::Awaited { node: self.path(id), direction, round: tries.round, timer })
            }
            Direction::Undo => self.ask_undo(id),
            _ => self.ask_again(id),
        }
    }

    fn skip(&mut self, id: NodeId, order: &Order) -> Obeyed {
        let status = self.state[id].status;
        if !matches!(status, Status::Blocked | Status::UndoStuck) {
            let hint = "skip is for a blocked node after the pivot, and for an undo that is stuck";
            return Ok(Err(self.not_now(id, hint)));
        }
        self.intervened(id, order)?;
        if palinode::zoo!("skip-runs-the-undo") && status == Status::UndoStuck {
            return Ok(Ok(self.ask_undo(id)?));
        }
        self.emit(Event::Skipped { node: self.path(id), why: SkippedBy::Person })?;
        if status == Status::UndoStuck {
            self.rewind()?
        } else {
            self.advance()?
        }
        Ok(Ok(()))
    }

    /// As if it had come: done, with this reply.
    fn mark_done(&mut self, id: NodeId, order: &Order) -> Obeyed {
        let null = || Raw::from(serde_json::value::RawValue::NULL.to_owned());
        match self.state[id].status {
            Status::UndoStuck => {
                self.intervened(id, order)?;
                let round = self.state[id].undo_tries.round;
                self.emit(Event::Undone { node: self.path(id), round })?;
                self.rewind()?;
            }
            Status::Blocked | Status::Unknown if self.takes_reply(id) => {
                let reply = order.reply.clone().unwrap_or_else(null);
                if let Err(why) = self.readable(id, &reply)? {
                    return Ok(Err(No::BadReply { why: why.into() }));
                }
                self.intervened(id, order)?;
                self.done(id, &reply, true)?;
            }
            _ => {
                let hint =
                    "mark_done is for a node that is blocked or in doubt, and for an undo that is stuck";
                return Ok(Err(self.not_now(id, hint)));
            }
        }
        Ok(Ok(()))
    }

    pub(crate) fn readable(&mut self, id: NodeId, reply: &Raw) -> Result<Result<(), String>, Broken> {
        let Some(decode) = &self.def[id].code.decode else { return Ok(Ok(())) };
        self.pure(id, "reply", |_| decode(reply).map(drop))
    }

    /// As if it had come: a definite no.
    fn mark_not_done(&mut self, id: NodeId, order: &Order) -> Obeyed {
        match self.state[id].status {
            Status::Unknown if self.in_doubt(id) && self.can_settle(id, Direction::Void) => {
                self.intervened(id, order)?;
                self.settle(id, Direction::Void)?;
            }
            Status::Unknown if self.in_doubt(id) => {
                self.intervened(id, order)?;
                self.emit(Event::Leaked { node: self.path(id), why: Arc::clone(&order.reason) })?;
                self.refuse(id, &Refused::new("not_done", Arc::clone(&order.reason)), true)?;
            }
            Status::Blocked if self.takes_reply(id) && self.state[id].tries.round > 0 => {
                self.intervened(id, order)?;
                self.next_round(id, Direction::Do, &order.reason)?;
            }
            Status::UndoStuck => {
                self.intervened(id, order)?;
                self.next_round(id, Direction::Undo, &order.reason)?;
            }
            _ => {
                let hint =
                    "mark_not_done is for a node that is blocked or in doubt, and for an undo that is stuck";
                return Ok(Err(self.not_now(id, hint)));
            }
        }
        Ok(Ok(()))
    }

    /// The round was refused; the next one is due now.
    fn next_round(&mut self, id: NodeId, direction: Direction, why: &Arc<str>) -> Result<(), Broken> {
        let round = self.state[id].tries_of(direction).round;
        let timer = self.new_timer(self.cx.time);
        self.attempt_failed(id, direction, How::Refused, why, round, Some(timer))
    }

    /// U9: what was done after it had been undone is undone in a new round, also after the end.
    fn undo_again(&mut self, id: NodeId, order: &Order) -> Obeyed {
        let node = &self.state[id];
        let leaked = self.state.leaks.contains(&self.def[id].path) && node.undo.is_some();
        if !leaked || !matches!(node.status, Status::Undone | Status::UndoStuck) {
            let hint = "undo_again is for what leaked: what was done after it had been undone";
            return Ok(Err(self.not_now(id, hint)));
        }
        self.intervened(id, order)?;
        Ok(Ok(self.ask_undo(id)?))
    }

    fn intervened(&mut self, id: NodeId, order: &Order) -> Result<(), Broken> {
        let Order { verb, by, reason, .. } = order;
        match verb {
            Verb::Retry => palinode::sometimes!("node retried by a person"),
            Verb::Skip => palinode::sometimes!("node left out by a person"),
            Verb::MarkDone => palinode::sometimes!("node marked done by a person"),
            Verb::MarkNotDone => palinode::sometimes!("node marked not done by a person"),
            _ => {}
        }
        let (by, reason) = (Arc::clone(by), Arc::clone(reason));
        if palinode::zoo!("verb-applied-twice") {
            let (by, reason) = (Arc::clone(&by), Arc::clone(&reason));
            self.emit(Event::Intervened { verb: *verb, node: self.path(id), by, reason })?;
        }
        self.emit(Event::Intervened { verb: *verb, node: self.path(id), by, reason })
    }

    fn not_now(&self, id: NodeId, hint: &str) -> No {
        No::NotNow { node: self.path(id), status: self.state[id].status, hint: hint.into() }
    }

    fn in_doubt(&self, id: NodeId) -> bool {
        self.def[id].class == Class::Pivot && self.state[id].status == Status::Unknown
    }

    /// Whether an outcome of the ask still decides something.
    fn takes_reply(&self, id: NodeId) -> bool {
        match self.state[id].status {
            Status::Blocked => matches!(self.def[id].class, Class::Retriable | Class::Read),
            _ => self.in_doubt(id),
        }
    }
}
