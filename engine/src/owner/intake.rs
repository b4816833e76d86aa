//! What comes in: clients' calls, notes of other owners here, records of the inbox; as inputs of the machine, or dealt with
//! at once.

use super::*;
use crate::{
    address::check_id,
    log::Stored,
    message::{ClientMessage, Target},
    receipt::Invalid,
    relay::{Arrived, Call, Note, arrived},
    remote::{AnswerTo, CallRecord, WatchRecord, line::FORGOTTEN},
};

/// Where an owner's inputs come from; it outlives the owner, so that what waits is not lost when it begins again.
pub(crate) struct Intake {
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) notes: mpsc::UnboundedReceiver<Note>,
    /// The records of the inbox, read for this owner from where it recovered; another owner must not take them, or its low
    /// mark would pass what this one had in flight.
    pub(crate) inbox: mpsc::Receiver<(Stored, Micros)>,
    /// The last record that an owner of this process has proven: the next one must find it again.
    pub(crate) proven: Option<Position>,
}

/// One thing that came in.
pub(super) enum Came {
    Note(Note),
    /// A record, and when it was read.
    Inbox(Stored, Micros),
    Call(Call),
}

impl Came {
    /// When it came; of what asks for nothing nobody wants to know.
    fn at(&self) -> Option<Micros> {
        match self {
            Self::Note(Note::Message(_, at)) | Self::Inbox(_, at) | Self::Call(Call { at, .. }) => Some(*at),
            Self::Note(Note::Control(_) | Note::Gap | Note::Watch { .. }) => None,
        }
    }
}

impl Intake {
    /// What waits already.
    fn waiting(&mut self) -> Option<Came> {
        let note = self.notes.try_recv().ok().map(Came::Note);
        let inbox = || self.inbox.try_recv().ok().map(|(stored, at)| Came::Inbox(stored, at));
        note.or_else(inbox).or_else(|| self.calls.try_recv().ok().map(Came::Call))
    }
}

impl Owner<'_> {
    /// Takes what waits, up to the room in the pipeline: messages first, so that work begun is finished before new work.
    pub(super) async fn gather(&mut self, intake: &mut Intake, first: Came, room: usize) -> Result<(), Exit> {
        if !self.pipeline.is_empty() {
            // What is taken now waits for the append that is under way in any case: whoever else has something for us may
            // bring it first, and one batch is cheaper than two.
            tokio::task::yield_now().await;
        }
        let now = self.ports.clock.now();
        let (mut inputs, mut waited) = (Vec::new(), Vec::new());
        let mut passed = None;
        let mut next = Some(first);
        while let Some(came) = next {
            waited.extend(came.at().filter(|_| self.ports.telemetry.is_on()).map(|at| now.since(at)));
            match came {
                Came::Note(note) => inputs.extend(self.note(note).await?),
                Came::Inbox(stored, _) => {
                    if zoo!("low-mark-past-unanswered-client") {
                        self.machine.inbox_passed(stored.offset + intake.inbox.len() as u64);
                    }
                    inputs.extend(self.received(&stored, intake.inbox.len()).await?);
                    passed = Some(stored.offset);
                }
                Came::Call(call) => {
                    inputs.push((Input::Client(Box::new(call.message)), Some(Waiter::Here(call.reply))));
                }
            }
            next = if inputs.len() < room { intake.waiting() } else { None };
        }
        self.fact(|| Fact::Waited(&waited));
        self.take(inputs).await?;
        // Only now: what lies before it in the inbox has become commits, or will never be one.
        if let Some(offset) = passed {
            self.machine.inbox_passed(offset);
        }
        self.mark_refusals().await
    }

    /// A note as an input, unless it is dealt with at once.
    async fn note(&mut self, note: Note) -> Result<Option<Taking>, Exit> {
        match note {
            Note::Message(message, _) => return Ok(Some((Input::Channel(Box::new(message.into())), None))),
            Note::Control(control) => self.control(control),
            Note::Gap => self.ask_all(),
            Note::Watch { entity, reply } => self.watch(entity, Watcher::Here(reply)).await?,
        }
        Ok(None)
    }

    /// A record of the inbox as an input, unless it is dealt with at once.
    async fn received(&mut self, stored: &Stored, behind: usize) -> Result<Option<Taking>, Exit> {
        let offset = stored.offset;
        match arrived(&stored.record) {
            Arrived::Message(bytes) => return Ok(self.message(&bytes, offset)),
            Arrived::Control(control) => self.control(control),
            Arrived::Call(call) => return Ok(self.call(call, offset, behind)),
            Arrived::Watch(WatchRecord { id, to, answer }) => {
                let until = self.ports.clock.now().plus(FORGOTTEN);
                let watcher = Watcher::Away(self.away(id, answer, offset), until);
                let here = self.place.directory.find(&to.service, &to.key()).as_ref() == Some(&self.place.me);
                if self.is_here(&to) && here && check_id(&to.id).is_ok() {
                    self.watch(to.key(), watcher).await?;
                }
            }
            Arrived::Foreign(why) => {
                sometimes!("inbox record that is not ours skipped");
                say!(warn, self, offset, why, "an inbox record is skipped");
            }
        }
        Ok(None)
    }

    /// A client's message from the inbox as an input, unless it is refused at once.
    fn call(&mut self, call: CallRecord, offset: u64, behind: usize) -> Option<Taking> {
        let away = self.away(call.id, call.answer, offset);
        let refused = if !self.is_here(&call.to) {
            let (service, log_id) = (&call.to.service, call.to.log_id);
            let text = format!("it is for log {log_id} of {service}, this is {}", self.place.me.log_id);
            Some(Told::Invalid(Invalid::Bug { text: text.into() }))
        } else if let Err(bad) = check_id(&call.to.id) {
            Some(Told::Invalid(bad.into()))
        } else if behind > self.limits.queue {
            sometimes!("call from the inbox refused as overload");
            Some(Told::Overloaded)
        } else {
            None
        };
        if let Some(told) = refused {
            self.refuse_away(away, told);
            return None;
        }
        sometimes!("call came through the inbox");
        let message: ClientMessage = call.message();
        Some((Input::Client(Box::new(message)), Some(Waiter::Away(away))))
    }

    fn is_here(&self, to: &Target) -> bool {
        (&to.service, to.log_id) == (&self.place.me.service, self.place.me.log_id)
    }

    fn away(&self, id: uuid::Uuid, to: AnswerTo, offset: u64) -> Box<Away> {
        let (router, shard) = (Arc::clone(&self.ports.router), self.place.me.clone());
        Box::new(Away { router, shard, id, to, offset })
    }

    fn message(&self, bytes: &[u8], offset: u64) -> Option<Taking> {
        match Incoming::decode(bytes, Some(offset)) {
            Ok(incoming) => Some((Input::Channel(Box::new(incoming)), None)),
            Err(e) => {
                say!(warn, self, "a message that cannot be read is skipped: {e}");
                None
            }
        }
    }

    /// Messages that were held back and may be the next ones now: those from ahead of the clock.
    pub(super) async fn take_held(&mut self) -> Result<(), Exit> {
        let channels = self.machine.channels().releasable();
        let held = channels.iter().filter_map(|from| self.machine.channels_mut().release(from));
        let input =
            |(message, digest, offset)| Input::Channel(Box::new(Incoming { message, digest, offset }));
        let inputs: Vec<Taking> = held.map(|held| (input(held), None)).collect();
        if inputs.is_empty() { Ok(()) } else { self.take(inputs).await }
    }
}
