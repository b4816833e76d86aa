//! What people ask of parked keys, and the runner that does it. Only the runner of a shard changes what is parked there,
//! in transactions under its epoch; so it always knows.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};

use super::{
    Projection,
    footing::{Footing, show_active, superseded},
    runner::{Halt, Runner},
};
use crate::checkpoint::{Act, ApplyError, Held, Key, Parked, ReadDb, Said, Transacted};

/// How many asks wait for a runner.
const WAITING: usize = 16;

/// What is asked of the parked keys of a shard.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Try this key again.
    Retry(String),
    /// Try all keys again that are parked for this cause.
    RetryCause(String),
    /// Leave this event of the key out, the first one it holds, and try again.
    Skip(String, (u64, u32)),
    /// Leave everything out that the key holds now.
    Discard(String),
}

/// An ask, and where the answer goes: how many keys it was done to.
pub(super) struct Ask {
    what: What,
    said: Said,
    reply: oneshot::Sender<Result<usize, ApplyError>>,
}

impl Ask {
    pub(super) fn refuse(self, why: &ApplyError) {
        self.tell(Err(why.clone()));
    }

    fn answer(self, keys: usize) {
        self.tell(Ok(keys));
    }

    fn tell(self, answer: Result<usize, ApplyError>) {
        // Whoever asked may have gone away.
        let _ = self.reply.send(answer);
    }
}

/// Where a shard is asked.
#[derive(Clone)]
pub(super) struct Door(mpsc::Sender<Ask>);

impl Door {
    pub(super) async fn ask(&self, what: What, said: Said) -> Result<usize, ApplyError> {
        let gone = || {
            ApplyError::broken(
                "the runner of this shard stands still: see its status, start it again, then ask again",
            )
        };
        let (reply, answer) = oneshot::channel();
        self.0.send(Ask { what, said, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The asks that wait for a runner.
pub(super) struct Asks {
    queue: mpsc::Receiver<Ask>,
    next: Option<Ask>,
}

/// The two ends of a queue of asks.
pub(super) fn asks() -> (Door, Asks) {
    let (door, queue) = mpsc::channel(WAITING);
    (Door(door), Asks { queue, next: None })
}

impl Asks {
    pub(super) fn next(&mut self) -> Option<Ask> {
        self.next.take().or_else(|| self.queue.try_recv().ok())
    }

    /// Returns when somebody asks; never when nobody can any more. May be dropped.
    pub(super) async fn wait(&mut self) {
        if self.next.is_none() {
            match self.queue.recv().await {
                Some(ask) => self.next = Some(ask),
                None => std::future::pending().await,
            }
        }
    }
}

/// What an ask does to one key.
#[derive(Clone)]
struct Change {
    key: Parked,
    /// Leave out what it holds up to this event.
    without: Option<Held>,
}

impl<D: ReadDb, P: Projection<D>> Runner<D, P> {
    /// Does what is asked, and answers.
    pub(super) async fn obey(&mut self, at: &mut Footing, ask: Ask) -> Result<(), Halt> {
        let (changes, verb, about) = match plan(&ask.what, &at.parked) {
            Ok(plan) => plan,
            Err(e) => {
                ask.refuse(&e);
                return Ok(());
            }
        };
        if changes.is_empty() {
            ask.answer(0);
            return Ok(());
        }
        let act = Act {
            at: self.source.clock.now(),
            projection: self.key.projection.to_string(),
            version: self.key.version,
            verb: verb.into(),
            about: format!("{}/{}: {about}", self.key.service, self.key.shard),
            said: ask.said.clone(),
        };
        let (key, from, todo) = (self.key.clone(), at.checkpoint.clone(), changes.clone());
        let board = self.db.board().clone();
        let end = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                if !D::advance(tx, &key, &from, &from.position, from.time).await? {
                    return Err(superseded(&key));
                }
                show_active::<D>(tx, &board, &key).await?;
                if !zoo!("act-not-recorded") {
                    D::record(tx, &act).await?;
                }
                let mut left = Vec::with_capacity(todo.len());
                for Change { key: parked, without } in &todo {
                    D::park(tx, &key, parked).await?;
                    left.push(match without {
                        Some(upto) => D::release(tx, &key, &parked.key, *upto).await?,
                        None => Some((parked.first, parked.held)),
                    });
                }
                Ok(left)
            })
        }));
        match end.await {
            Transacted::Committed(left) => {
                let done = changes.len();
                for (Change { key, without }, left) in changes.into_iter().zip(left) {
                    if without.is_some() {
                        sometimes!("events left out by a person");
                    }
                    at.now_holds(key, left);
                }
                self.tell_position(at);
                ask.answer(done);
                Ok(())
            }
            Transacted::RolledBack(e) => {
                ask.refuse(&e);
                Err(e.into())
            }
            Transacted::Unknown(e) => {
                let e = ApplyError::outage(format!("it may have been done: {e}"));
                ask.refuse(&e);
                Err(e.into())
            }
        }
    }

    /// Refuses to park more keys when that is no way to go on.
    pub(super) fn may_park(&self, keys: &[Parked]) -> Result<(), ApplyError> {
        let alarm = self.meter.alarm(self.source.clock.now(), keys);
        alarm.map_or(Ok(()), |why| {
            Err(ApplyError::poison(format!(
                "projection {} stopped: {why}. That is a mistake in the code or in a table, not in the data. Nothing is \
                 lost: mend it, start again, and retry what is parked",
                self.key
            )))
        })
    }

    /// What a written batch has parked and held back.
    pub(super) fn held_back(
        &mut self,
        at: &mut Footing,
        parks: Vec<Parked>,
        holds: BTreeMap<String, Vec<Held>>,
    ) {
        self.meter.parked(self.source.clock.now(), &parks);
        for parked in parks {
            sometimes!("key parked");
            let Key { projection, service, shard, .. } = &self.key;
            let (key, error) = (&parked.key, &parked.error);
            tracing::error!(%projection, %service, shard, key, error, "a key is parked");
            at.parked.insert(parked.key.clone(), parked);
        }
        for (key, events) in holds {
            if let Some(parked) = at.parked.get_mut(&key) {
                parked.held = parked.held.saturating_add(events.len() as u64);
            }
        }
    }
}

impl Footing {
    /// A key holds this now, or is free.
    pub(super) fn now_holds(&mut self, key: Parked, left: Option<(Held, u64)>) {
        match left {
            Some((first, held)) => drop(self.parked.insert(key.key.clone(), Parked { first, held, ..key })),
            None => drop(self.parked.remove(&key.key)),
        }
    }
}

/// What is to be done, as a verb, and to what.
fn plan(
    what: &What,
    parked: &BTreeMap<String, Parked>,
) -> Result<(Vec<Change>, &'static str, String), ApplyError> {
    let find = |key: &str| {
        parked
            .get(key)
            .cloned()
            .ok_or_else(|| ApplyError::broken(format!("key {key:?} is not parked in this shard")))
    };
    let again = |key: Parked| Parked { resuming: true, ..key };
    Ok(match what {
        What::Retry(key) => {
            let change = Change { key: again(find(key)?), without: None };
            (vec![change], "retry", key.clone())
        }
        What::RetryCause(cause) => {
            let meant = parked.values().filter(|parked| parked.cause == *cause);
            let changes = meant.map(|key| Change { key: again(key.clone()), without: None }).collect();
            (changes, "retry-cause", cause.clone())
        }
        What::Skip(key, (pseq, idx)) => {
            let found = find(key)?;
            let first = found.first;
            if (first.pseq, first.idx) != (*pseq, *idx) {
                return Err(ApplyError::broken(format!(
                    "the first event that key {key:?} holds is {} of commit {}: only that one can be skipped",
                    first.idx, first.pseq
                )));
            }
            let about = format!("{key}, event {idx} of commit {pseq}");
            (vec![Change { key: again(found), without: Some(first) }], "skip", about)
        }
        What::Discard(key) => {
            let found = find(key)?;
            let about = format!("{key}, {} events from commit {} on", found.held, found.first.pseq);
            let all = Held { pseq: i64::MAX.unsigned_abs(), idx: u32::MAX, offset: 0 };
            (vec![Change { key: found, without: Some(all) }], "discard", about)
        }
    })
}
