//! The client's end of the inbox road: a call goes to the inbox of its entity's shard, the answer is read from the
//! replies of that service. Whoever waits asks again under the same id, so neither may be lost for good.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{AnswerRecord, AnswerTo, CallRecord, Says, WatchRecord, for_ever};
use crate::{
    address::{Address, Topic},
    clock::{Clock, Ids},
    commit::Peer,
    log::{Append, Log},
    machine::Directory,
    message::ClientMessage,
    receipt::Told,
    record::Record,
    time::Micros,
};

/// The first wait before a call is asked again, and the longest.
const CALL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));
/// The same of a watch. An owner forgets one that is not repeated for [`FORGOTTEN`].
const WATCH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long an owner keeps a watch that is not repeated.
pub(crate) const FORGOTTEN: Duration = Duration::from_secs(90);
/// The shortest and the longest wait between two looks at the replies.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));
/// After so long without a call the replies are read from their end.
const IDLE: Duration = Duration::from_secs(5);

/// A client's end of the inbox road to all services.
pub(crate) struct Lines {
    me: Uuid,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    directory: Arc<Directory>,
    gone: CancellationToken,
    lines: Mutex<BTreeMap<Arc<str>, Arc<Line>>>,
    questions: AtomicU64,
}

/// One partition of the replies of one service.
struct Line {
    partition: u32,
    state: Mutex<State>,
    wake: Notify,
    reader: Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<Uuid, BTreeMap<u64, mpsc::UnboundedSender<AnswerRecord>>>,
    count: u64,
    /// The next record to be read; none before the first look at the end.
    at: Option<u64>,
    idle_since: Micros,
}

/// Somebody who waits for what is said about an id; until it is dropped.
struct Waiting {
    line: Arc<Line>,
    clock: Arc<dyn Clock>,
    id: Uuid,
    number: u64,
    answers: mpsc::UnboundedReceiver<AnswerRecord>,
}

impl Lines {
    /// Nothing is read before the first call. `gone` ends all waits.
    pub(crate) fn new(
        log: Arc<dyn Log>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        directory: Arc<Directory>,
        gone: CancellationToken,
    ) -> Self {
        let me = ids.fresh(clock.now());
        Self { me, log, clock, ids, directory, gone, lines: Mutex::default(), questions: AtomicU64::new(1) }
    }

    /// Brings a message to its owner, wherever that is, and the answer back. Unknown when the shard comes `here`, or
    /// nothing more can be learned.
    pub(crate) async fn tell(
        &self,
        shard: &Peer,
        message: &ClientMessage,
        here: impl Fn() -> bool + Send + Sync,
    ) -> Told {
        let Some(mut waiting) = self.wait(shard, message.id).await else { return Told::Unknown };
        let (mut pause, mut questions) = (CALL.0, Vec::new());
        // Whether it is known of every attempt whether it lies in the inbox.
        let mut known = true;
        loop {
            let to = self.answer_to(shard);
            questions.push(to.question);
            let mut call = CallRecord::of(message, shard, to);
            if zoo!("remote-client-new-id-on-retry") && questions.len() > 1 {
                call.id = Uuid::from_u128(call.id.as_u128() ^ u128::from(to.question));
            }
            let Ok(value) = call.encode() else { return Told::Unknown };
            let sent = self.send(shard, &message.to, value);
            tokio::pin!(sent);
            let late = self.clock.pass(pause);
            tokio::pin!(late);
            let mut outcome = None;
            loop {
                tokio::select! {
                    biased;
                    () = self.gone.cancelled() => return Told::Unknown,
                    said = &mut sent, if outcome.is_none() => {
                        outcome = Some(said);
                        known &= said != Sent::Perhaps;
                    }
                    Some(answer) = waiting.answers.recv() => {
                        let (by_id, any) = (zoo!("answers-known-by-their-id-alone"), zoo!("any-answer-taken"));
                        let known_by_id = by_id || any;
                        let mine = known_by_id || questions.contains(&answer.question);
                        let last = answer.question == to.question && outcome == Some(Sent::There) && known;
                        match answer.says.told() {
                            Some(told) if last || mine && for_ever(&told) => return told,
                            // Of something else that was asked under this id, of an earlier attempt, or of one that may lie
                            // in the inbox twice: another copy may be taken.
                            _ => {}
                        }
                    }
                    () = &mut late => break,
                }
            }
            known &= outcome.is_some();
            if here() {
                return Told::Unknown;
            }
            sometimes!("client asked again through the inbox");
            pause = pause.saturating_mul(2).min(CALL.1);
        }
    }

    /// What an entity ended with; nothing when its shard comes `here`, or nothing more can be learned.
    pub(crate) async fn ended(
        &self,
        shard: &Peer,
        entity: &Address,
        here: impl Fn() -> bool + Send + Sync,
    ) -> Option<Box<RawValue>> {
        let id = self.ids.fresh(self.clock.now());
        let mut waiting = self.wait(shard, id).await?;
        let mut pause = WATCH.0;
        while !here() {
            let watch = WatchRecord::of(id, entity, shard, self.answer_to(shard));
            let sent = self.send(shard, entity, watch.encode().ok()?);
            let late = async {
                sent.await;
                self.clock.pass(pause).await;
            };
            tokio::select! {
                biased;
                () = self.gone.cancelled() => return None,
                Some(answer) = waiting.answers.recv() => if let Says::Ended(end) = answer.says { return Some(end) },
                () = late => {}
            }
            pause = pause.saturating_mul(2).min(WATCH.1);
        }
        None
    }

    /// The next question.
    fn answer_to(&self, shard: &Peer) -> AnswerTo {
        let question = self.questions.fetch_add(1, Ordering::Relaxed);
        AnswerTo { partition: self.partition(shard), client: self.me, question }
    }

    /// The partition of a service's replies that this client reads.
    fn partition(&self, shard: &Peer) -> u32 {
        let partitions = self.directory.get(&shard.service).map_or(1, |(_, n)| n).max(1);
        u32::try_from(self.me.as_u128() % u128::from(partitions)).unwrap_or(0)
    }

    async fn send(&self, shard: &Peer, to: &Address, value: Vec<u8>) -> Sent {
        let record = Record::ours(to.key().to_string().into(), value, self.clock.now());
        match self.log.append(&Topic::inbox(Arc::clone(&shard.service)), shard.shard, vec![record]).await {
            Append::Appended(_) => Sent::There,
            Append::Refused(_) => Sent::Not,
            Append::Unknown(_) => Sent::Perhaps,
        }
    }

    /// Begins to wait for what is said about an id: the replies are read from before the first question on.
    async fn wait(&self, shard: &Peer, id: Uuid) -> Option<Waiting> {
        let line = self.line(shard);
        loop {
            if let Some(waiting) = line.clone().wait(id, &self.clock) {
                return Some(waiting);
            }
            let topic = Topic::replies(Arc::clone(&shard.service));
            let end = tokio::select! {
                biased;
                () = self.gone.cancelled() => return None,
                end = self.log.end(&topic, line.partition) => end,
            };
            match end {
                Ok(end) => line.begin(end, self.clock.now()),
                Err(error) => {
                    tracing::warn!(%topic, "the end of the replies cannot be seen: {error}");
                    self.clock.pass(LOOK.1).await;
                }
            }
        }
    }

    fn line(&self, shard: &Peer) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&shard.service) {
            return Arc::clone(line);
        }
        let line = Arc::new(Line {
            partition: self.partition(shard),
            state: Mutex::default(),
            wake: Notify::new(),
            reader: Mutex::default(),
        });
        let topic = Topic::replies(Arc::clone(&shard.service));
        let reader = read(Arc::clone(&line), Arc::clone(&self.log), Arc::clone(&self.clock), topic, self.me);
        let task = tokio::spawn(reader).abort_handle();
        *line.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        lines.insert(Arc::clone(&shard.service), Arc::clone(&line));
        line
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let lines = self.lines.get_mut().unwrap_or_else(PoisonError::into_inner);
        for line in lines.values() {
            if let Some(reader) = line.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
                reader.abort();
            }
        }
    }
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// It lies in the inbox, once.
    There,
    /// It does not, and will not.
    Not,
    /// Nobody knows.
    Perhaps,
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody waits from now on; nothing when it must be looked for the end of the replies first.
    fn wait(self: Arc<Self>, id: Uuid, clock: &Arc<dyn Clock>) -> Option<Waiting> {
        let (answers_in, answers) = mpsc::unbounded_channel();
        let number = {
            let mut state = self.state();
            state.at?;
            if state.waiting.is_empty() && clock.now().since(state.idle_since) > IDLE {
                state.at = None;
                return None;
            }
            state.count += 1;
            let number = state.count;
            state.waiting.entry(id).or_default().insert(number, answers_in);
            number
        };
        self.wake.notify_one();
        Some(Waiting { line: self, clock: Arc::clone(clock), id, number, answers })
    }

    /// The replies are read from here on, unless somebody waits for what comes earlier.
    fn begin(&self, end: u64, now: Micros) {
        let mut state = self.state();
        if state.waiting.is_empty() {
            state.at = Some(end);
            state.idle_since = now;
        }
    }

    /// Hands an answer to everybody who waits for it.
    fn answer(&self, answer: &AnswerRecord) {
        let state = self.state();
        let mine = if zoo!("any-answer-taken") {
            state.waiting.values().next()
        } else {
            state.waiting.get(&answer.id)
        };
        for waiting in mine.into_iter().flat_map(BTreeMap::values) {
            // One that does not wait any more is about to be removed.
            let _ = waiting.send(answer.clone());
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.line.state();
        if let Some(same) = state.waiting.get_mut(&self.id) {
            same.remove(&self.number);
            if same.is_empty() {
                state.waiting.remove(&self.id);
            }
        }
        if state.waiting.is_empty() {
            state.idle_since = self.clock.now();
        }
    }
}

/// Reads the replies while somebody waits for one.
async fn read(line: Arc<Line>, log: Arc<dyn Log>, clock: Arc<dyn Clock>, topic: Topic, me: Uuid) {
    let (mut pause, mut failed) = (LOOK.0, 0_u32);
    loop {
        let at = {
            let state = line.state();
            state.at.filter(|_| !state.waiting.is_empty())
        };
        let Some(at) = at else {
            line.wake.notified().await;
            pause = LOOK.0;
            continue;
        };
        let next = match log.read(&topic, line.partition, at, 256).await {
            Ok(records) => {
                failed = 0;
                for stored in &records {
                    let answer = AnswerRecord::decode(&stored.record.value);
                    if let Some(answer) = answer.filter(|answer| answer.client == me && sound(&stored.record))
                    {
                        line.answer(&answer);
                    }
                }
                records.last().map(|last| last.offset.saturating_add(1))
            }
            Err(error) => {
                failed = failed.saturating_add(1);
                tracing::warn!(%topic, at, "the replies cannot be read: {error}");
                // What lies there may be gone: whoever waits asks again.
                if failed.is_multiple_of(8) { log.end(&topic, line.partition).await.ok() } else { None }
            }
        };
        match next {
            Some(next) => {
                pause = LOOK.0;
                let mut state = line.state();
                if state.at == Some(at) {
                    state.at = Some(next);
                }
            }
            None => {
                clock.pass(pause).await;
                pause = pause.saturating_mul(2).min(LOOK.1);
            }
        }
    }
}

fn sound(record: &Record) -> bool {
    record.mark.is_some() && record.crc == Some(crc32c::crc32c(&record.value))
}
