//! What comes in: clients' calls, notes of other owners here, records of the inbox; as inputs of the machine, or dealt with
//! at once.

use super::*;
use crate::{
    log::Stored,
    relay::{Arrived, Call, Note, arrived},
};

/// Where an owner's inputs come from; it outlives the owner, so that what waits is not lost when it begins again.
pub(crate) struct Intake {
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) notes: mpsc::UnboundedReceiver<Note>,
    /// The records of the inbox, read for this owner from where it recovered; another owner must not take them, or its low
    /// mark would pass what this one had in flight.
    pub(crate) inbox: mpsc::Receiver<Stored>,
    /// The last record that an owner of this process has proven: the next one must find it again.
    pub(crate) proven: Option<Position>,
}

/// One thing that came in.
pub(super) enum Came {
    Note(Note),
    Inbox(Stored),
    Call(Call),
}

impl Intake {
    /// What waits already.
    fn waiting(&mut self) -> Option<Came> {
        let note = self.notes.try_recv().ok().map(Came::Note);
        let inbox = || self.inbox.try_recv().ok().map(Came::Inbox);
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
        let mut inputs = Vec::new();
        let mut next = Some(first);
        while let Some(came) = next {
            match came {
                Came::Note(note) => inputs.extend(self.note(note).await?),
                Came::Inbox(stored) => inputs.extend(self.received(&stored)),
                Came::Call(call) => inputs.push((Input::Client(Box::new(call.message)), Some(call.reply))),
            }
            next = if inputs.len() < room { intake.waiting() } else { None };
        }
        self.take(inputs).await
    }

    /// A note as an input, unless it is dealt with at once.
    async fn note(&mut self, note: Note) -> Result<Option<Taking>, Exit> {
        match note {
            Note::Message(message) => return Ok(Some((Input::Channel(Box::new(message.into())), None))),
            Note::Control(control) => self.control(control),
            Note::Watch { entity, reply } => self.watch(entity, reply).await?,
        }
        Ok(None)
    }

    /// A record of the inbox as an input, unless it is dealt with at once.
    fn received(&mut self, stored: &Stored) -> Option<Taking> {
        let offset = stored.offset;
        match arrived(&stored.record) {
            Arrived::Message(bytes) => return self.message(&bytes, offset),
            Arrived::Control(control) => self.control(control),
            Arrived::Foreign(why) => {
                tracing::warn!(shard = %self.shard(), offset, why, "an inbox record is skipped");
            }
        }
        self.machine.inbox_passed(offset);
        None
    }

    fn message(&self, bytes: &[u8], offset: u64) -> Option<Taking> {
        match Incoming::decode(bytes, Some(offset)) {
            Ok(incoming) => Some((Input::Channel(Box::new(incoming)), None)),
            Err(e) => {
                tracing::warn!(shard = %self.shard(), "a message that cannot be read is skipped: {e}");
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
