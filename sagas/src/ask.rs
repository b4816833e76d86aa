//! Asks: the effect key, rounds and attempts of a node, the undo recorded with the ask (U5), and what an answer means
//! for each class. An entity is sent its ask once per round (U7): the channel neither loses nor repeats it.

use std::sync::Arc;

use palinode::{
    activity::{Outbound, To},
    commit::RunRef,
    entity::{RunRequest, SendRequest},
    trace::SpanContext,
};

use crate::{
    coordinator::{Broken, Work},
    definition::{Class, NodeId},
    event::{Direction, Event, How, Late, Plan, Timer, Why},
    outcome::{Answer, Raw, Refused, fits},
    retry::{DOUBT, LOST},
    state::{Phase, Status, Tries},
};

impl Work<'_> {
    /// The first ask of a node: the request and, for the case that it stays unknown, its undo are built and recorded
    /// before anything is sent. What cannot be built is never sent.
    pub(crate) fn ask(&mut self, id: NodeId) -> Result<(), Broken> {
        let node = &self.def[id];
        let Some(build) = &node.code.ask else {
            return Err(Broken(format!("node {} asks nothing", node.path)));
        };
        let built = self.pure(id, "ask", |data| {
            let request = build(data)?;
            let undo = node.code.undo.as_ref().map(|undo| undo(data, None, &request.to)).transpose()?;
            Ok((request, undo))
        })?;
        let planned = built.and_then(|(request, undo)| {
            fits("a request", &request.data)?;
            let undo = undo.map(|undo| plan(&request.to, undo)).transpose()?;
            Ok((request, undo))
        });
        let (request, undo) = match planned {
            Ok(built) => built,
            Err(why) => return self.unaskable(id, why),
        };
        let again = matches!(request.to, To::Activity(_)) || node.late;
        let timer = node.timeout.map(|within| self.new_timer(self.cx.time.plus(within)));
        let data = Raw::from(request.data);
        self.emit(Event::StepAsked {
            node: self.path(id),
            round: 1,
            attempt: 1,
            pivot: node.class == Class::Pivot,
            to: Some(request.to),
            request: again.then(|| Arc::clone(&data)),
            undo,
            at: again.then_some(self.cx.time),
            timer,
        })?;
        self.send(id, Direction::Do, &data);
        Ok(())
    }

    /// A request that cannot be built: as refused, because nothing was sent.
    fn unaskable(&mut self, id: NodeId, why: String) -> Result<(), Broken> {
        if self.def[id].late {
            return self.emit(Event::Blocked { node: self.path(id), why: why.into() });
        }
        self.refuse(id, &Refused::new(palinode::message::Refusal::BUG, why), false)
    }

    /// The next attempt, or after a refusal the next round. Bytes are those of the first ask.
    pub(crate) fn ask_again(&mut self, id: NodeId) -> Result<(), Broken> {
        let (node, def) = (&self.state[id], &self.def[id]);
        let (tries, request) = (node.tries, node.request.clone());
        let Some(data) = request else {
            return Err(Broken(format!("node {}: its request was not recorded", def.path)));
        };
        let (round, attempt) =
            if tries.refused { (tries.round + 1, 1) } else { (tries.round, tries.attempt + 1) };
        let first = tries.at.is_none();
        let due = def.timeout.map(|within| tries.at.unwrap_or(self.cx.time).plus(within));
        let timer = due.map(|due| self.new_timer(due));
        self.emit(Event::StepAsked {
            node: self.path(id),
            round,
            attempt,
            pivot: def.class == Class::Pivot,
            to: None,
            request: None,
            undo: None,
            at: first.then_some(self.cx.time),
            timer,
        })?;
        self.send(id, Direction::Do, &data);
        Ok(())
    }

    /// Hands the ask, or the undo, to the engine.
    pub(crate) fn send(&mut self, id: NodeId, direction: Direction, data: &Raw) {
        let (node, def) = (&self.state[id], &self.def[id]);
        let (tries, key) = (node.tries_of(direction), def.key(direction));
        let budget = match direction {
            Direction::Do if def.class == Class::Pivot && node.tries.unsure => DOUBT,
            Direction::Do => def.retry.within,
            Direction::Undo => def.undo_retry.within,
            Direction::Probe | Direction::Void => DOUBT,
        };
        let data = (**data).to_owned();
        let parent = self.attempt(id, direction);
        match &node.to {
            Some(To::Entity(address)) => self.out.sends.push(SendRequest {
                to: address.clone(),
                name: Arc::clone(&address.kind),
                data,
                re: Some(format!("{key}/{}", tries.round).into()),
                parent,
            }),
            Some(To::Activity(name)) => {
                let undo = node.undo.as_ref().and_then(|plan| plan.activity.as_ref());
                let activity = if direction == Direction::Undo { undo.unwrap_or(name) } else { name };
                self.out.runs.push(RunRequest {
                    key,
                    round: tries.round,
                    attempt: tries.attempt,
                    activity: Arc::clone(activity),
                    request: data,
                    begin_by: tries.at.unwrap_or(self.cx.time).plus(budget),
                    parent,
                });
            }
            None => {}
        }
    }

    /// The span of the open attempt, when somebody observes.
    pub(crate) fn attempt(&self, id: NodeId, direction: Direction) -> Option<SpanContext> {
        self.cx.trace.is_on().then(|| self.state.attempt(self.def, id, direction)).flatten()
    }

    /// Tells a running attempt that nobody waits for it any more.
    pub(crate) fn stop(&mut self, id: NodeId, direction: Direction) {
        let node = &self.state[id];
        let running = match direction {
            Direction::Do => node.status == Status::Asked,
            Direction::Undo => node.status == Status::Undoing,
            Direction::Probe => node.status == Status::Probing,
            Direction::Void => node.status == Status::Voiding,
        };
        if running && matches!(node.to, Some(To::Activity(_))) {
            let (Tries { round, attempt, .. }, key) = (node.tries_of(direction), self.def[id].key(direction));
            self.out.stops.push(RunRef { key, round, attempt });
        }
    }

    /// Rows 3, 4, 6, 7, 8, 10, 11, and U8.
    pub(crate) fn answered(&mut self, id: NodeId, answer: &Answer) -> Result<(), Broken> {
        let late = self.state[id].status != Status::Asked;
        match answer {
            Answer::Done(reply) => self.done(id, reply, late),
            Answer::Refused(refused) if self.def[id].late => self.failed(id, How::Refused, &refused.text),
            Answer::Refused(refused) => self.refuse(id, refused, late),
            Answer::Transient(why) => self.failed(id, How::Transient, why),
            Answer::Unknown(why) => self.failed(id, How::Unknown, why),
            Answer::Fatal(why) => self.failed(id, How::Fatal, why),
            Answer::Lost => self.failed(id, How::Lost, &"its owner is gone".into()),
        }
    }

    /// Done: `save` runs, once; the undo is built again from the reply; both are recorded.
    pub(crate) fn done(&mut self, id: NodeId, reply: &Raw, late: bool) -> Result<(), Broken> {
        let code = &self.def[id].code;
        let mut undo = None;
        let mut data = None;
        if code.save.is_some() || code.undo.is_some() {
            let Some(decode) = &code.decode else { return Err(Broken("a node without a decoder".into())) };
            let value = match self.pure(id, "reply", |_| decode(reply))? {
                Ok(value) => value,
                Err(why) => return self.failed(id, How::Fatal, &why.into()),
            };
            if let Some(save) = &code.save {
                self.pure(id, "save", |data| save(data, &*value))?.map_err(Broken)?;
                data = self.changed_data(id)?;
            }
            if let (Some(build), Some(to)) = (&code.undo, self.state[id].to.clone()) {
                let built = self.pure(id, "undo", |data| build(data, Some(&*value), &to))?;
                let built = built.and_then(|built| plan(&to, built)).map_err(Broken)?;
                let recorded = self.state[id].undo.as_ref();
                undo = recorded.is_none_or(|old| !same_plan(old, &built)).then_some(built);
            }
        }
        let (node, round, reply) = (self.path(id), self.state[id].tries.round, Arc::clone(reply));
        if self.def[id].class == Class::Pivot {
            self.emit(Event::PivotPassed { node, round, reply, data })?;
            if self.state.cancel.is_some() {
                self.emit(Event::CancelTooLate {})?;
            }
            return self.advance();
        }
        self.emit(Event::StepDone { node, round, reply, data, undo, late })?;
        if self.state.phase == Phase::Undoing { self.rewind() } else { self.advance() }
    }

    /// An attempt or a round that did not succeed: again, or what the class makes of a spent budget.
    fn failed(&mut self, id: NodeId, how: How, why: &Arc<str>) -> Result<(), Broken> {
        let round = self.state[id].tries.round;
        if self.state[id].status != Status::Asked && how != How::Refused {
            let answer = Answer::Unknown(Arc::clone(why));
            return self.late(&self.def[id].do_key, round, Late::NotNeeded, &answer);
        }
        let timer = self.next(id, how);
        self.attempt_failed(id, Direction::Do, how, why, round, timer)?;
        if timer.is_some() { Ok(()) } else { self.spent(id, why) }
    }

    /// When the next attempt or round begins; none when the budget is spent.
    fn next(&mut self, id: NodeId, how: How) -> Option<Timer> {
        let (node, def) = (&self.state[id], &self.def[id]);
        let tries = node.tries;
        let activity = matches!(node.to, Some(To::Activity(_)));
        let never = how == How::Fatal
            || self.state.phase == Phase::Undoing
            || (how == How::Lost && tries.lost + 1 >= LOST)
            || (!activity && how != How::Refused);
        if never {
            return None;
        }
        let wait = def.retry.wait(tries.failures + 1, self.draw());
        let next = self.cx.time.plus(wait).since(tries.at.unwrap_or(self.cx.time));
        let in_doubt = !palinode::zoo!("pivot-guessed")
            && def.class == Class::Pivot
            && (tries.unsure || matches!(how, How::Unknown | How::Lost));
        let spent = if in_doubt { next > DOUBT } else { def.retry.spent(tries.failures + 1, next) };
        let overtaken = def.timeout.is_some_and(|within| next > within);
        (!spent && !overtaken).then(|| self.new_timer(self.cx.time.plus(wait)))
    }

    pub(crate) fn attempt_failed(
        &mut self,
        id: NodeId,
        direction: Direction,
        how: How,
        why: &Arc<str>,
        round: u32,
        timer: Option<Timer>,
    ) -> Result<(), Broken> {
        let attempt = self.state[id].tries_of(direction).attempt;
        self.emit(Event::AttemptFailed {
            node: self.path(id),
            direction,
            round,
            attempt,
            how,
            why: Arc::clone(why),
            timer,
        })
    }

    /// The budget is spent: refused only if every attempt certainly did not happen.
    fn spent(&mut self, id: NodeId, why: &Arc<str>) -> Result<(), Broken> {
        let sure = !self.state[id].tries.unsure;
        let def = &self.def[id];
        match def.class {
            _ if def.late => self.emit(Event::Blocked { node: self.path(id), why: Arc::clone(why) }),
            Class::Pivot if !sure && palinode::zoo!("pivot-guessed") => {
                self.refuse(id, &Refused::new("guessed", Arc::clone(why)), false)
            }
            Class::Compensatable | Class::Pivot if !sure => self.unknown(id, why),
            Class::Read if !sure => self.refuse(id, &Refused::new("unknown", Arc::clone(why)), false),
            _ => self.refuse(id, &Refused::new("transient", Arc::clone(why)), false),
        }
    }

    /// It may have happened: before the pivot it is undone with the others; the pivot is in doubt.
    fn unknown(&mut self, id: NodeId, why: &Arc<str>) -> Result<(), Broken> {
        let (node, text) = (self.path(id), Arc::clone(why));
        if self.def[id].class == Class::Pivot && self.can_settle(id, Direction::Probe) {
            return self.settle(id, Direction::Probe);
        }
        if self.def[id].class == Class::Pivot {
            return self.emit(Event::InDoubt { node, why: text });
        }
        let round = self.state[id].tries.round;
        palinode::sometimes!("unknown step");
        self.emit(Event::StepUnknown { node: Arc::clone(&node), round, why: Arc::clone(&text) })?;
        if self.state.phase == Phase::Undoing {
            return self.rewind();
        }
        self.begin_undo(Why::Unknown { node, text })
    }

    /// No answer in time: a node's timeout, or the grace of an activity while the saga is taken back.
    pub(crate) fn unanswered(&mut self, id: NodeId) -> Result<(), Broken> {
        let def = &self.def[id];
        self.stop(id, Direction::Do);
        let why: Arc<str> = match def.timeout {
            Some(within) => format!("no answer within {:.3} s", within.as_secs_f64()).into(),
            None => "no answer in the grace time".into(),
        };
        match def.class {
            _ if def.late => self.emit(Event::Blocked { node: self.path(id), why }),
            Class::Read => self.refuse(id, &Refused::new("timeout", why), false),
            _ => self.unknown(id, &why),
        }
    }

    /// What an activity between two attempts ends with when there will be no further one.
    pub(crate) fn conclude(&mut self, id: NodeId) -> Result<(), Broken> {
        let node = &self.state[id];
        let (round, sure) = (node.tries.round, !node.tries.unsure);
        let why = node.why.clone().unwrap_or_default();
        let node = self.path(id);
        if !sure {
            return self.emit(Event::StepUnknown { node, round, why });
        }
        let code = "transient".into();
        self.emit(Event::StepRefused { node, round, code, text: why, data: None, late: false })
    }
}

/// The undo as it is recorded. U6: an entity's goes to where the step went.
fn plan(to: &To, undo: Outbound) -> Result<Plan, String> {
    fits("an undo", &undo.data)?;
    let data = Raw::from(undo.data);
    match undo.to {
        To::Activity(name) if matches!(to, To::Activity(_)) => Ok(Plan { activity: Some(name), data }),
        other if other == *to => Ok(Plan { activity: None, data }),
        other => {
            Err(format!("the undo goes to {other:?}, the step to {to:?}: both must go to the same target"))
        }
    }
}

fn same_plan(a: &Plan, b: &Plan) -> bool {
    a.activity == b.activity && a.data.get() == b.data.get()
}
