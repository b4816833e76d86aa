//! The world outside the log: participants that keep their contract, with a ledger by effect key. They outlive every
//! node. Written from section 6 of the description of sagas, not from the fence that ships with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use palinode::{Activity, Attempt, Failure, NoUndo, Perform, log::memory::Chance};
use serde::{Deserialize, Serialize};

use crate::program::{Fate, UndoFate};

/// How long an attempt may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

macro_rules! activity {
    ($name:ident, $stable:literal, $undo:ty) => {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub(crate) struct $name {
            pub(crate) saga: String,
            pub(crate) node: String,
            pub(crate) fate: Fate,
            pub(crate) undo: UndoFate,
        }
        impl Activity for $name {
            const NAME: &'static str = $stable;
            type Reply = u64;
            type Undo = $undo;
        }
        impl Perform<$name> for Participants {
            async fn perform(&self, call: &$name, cx: &Attempt) -> Result<u64, Failure> {
                let bytes = serde_json::to_string(call).unwrap_or_default();
                self.call(Call {
                    key: (call.saga.clone(), call.node.clone()),
                    undo: $stable == "uneffect",
                    round: cx.round,
                    bytes,
                    fate: call.fate,
                    undo_fate: call.undo,
                })
                .await
            }
        }
    };
}
activity!(Effect, "effect", Uneffect);
activity!(Uneffect, "uneffect", NoUndo);
activity!(Once, "once", NoUndo);

/// What goes wrong on the way to and from participants, in a thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LineFaults {
    pub(crate) lost_request: u32,
    pub(crate) lost_reply: u32,
    pub(crate) late: u32,
    pub(crate) transient: u32,
    pub(crate) doubled: u32,
    pub(crate) slow: Duration,
}

#[derive(Debug, Clone)]
struct Call {
    key: (String, String),
    undo: bool,
    round: u32,
    bytes: String,
    fate: Fate,
    undo_fate: UndoFate,
}

/// What a participant knows of a node of a saga.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// Net effect.
    pub(crate) net: i64,
    /// How often it was done.
    pub(crate) done: u32,
    undone: bool,
    highest: u32,
    refused: BTreeSet<u32>,
    undo_refused: BTreeSet<u32>,
    seen: BTreeMap<(bool, u32), String>,
    calls: [u8; 2],
    /// Whether anything but its fate went wrong with it.
    pub(crate) disturbed: bool,
    /// What no caller may do, when it was done.
    pub(crate) breach: Option<String>,
}

/// All participants.
#[derive(Clone)]
pub(crate) struct Participants(Arc<Mutex<Inner>>);

struct Inner {
    ledger: BTreeMap<(String, String), Entry>,
    faults: LineFaults,
    chance: Chance,
    counts: BTreeMap<&'static str, u64>,
}

/// What happens on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Straight,
    LostRequest,
    LostReply,
    Late,
    Transient,
    Broken,
    Fatal,
}

/// Notes that a call ended before its outcome was known: its node died.
struct Dropped<'a>(&'a Participants, &'a (String, String), bool);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        if self.2 {
            self.0.lock().ledger.entry(self.1.clone()).or_default().disturbed = true;
        }
    }
}

impl Participants {
    pub(crate) fn new(seed: u64) -> Self {
        let (ledger, counts) = (BTreeMap::new(), BTreeMap::new());
        let inner = Inner { ledger, faults: LineFaults::default(), chance: Chance::new(seed), counts };
        Self(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_faults(&self, faults: LineFaults) {
        self.lock().faults = faults;
    }

    pub(crate) fn ledger(&self) -> BTreeMap<(String, String), Entry> {
        self.lock().ledger.clone()
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().counts.clone()
    }

    /// What meets a call to somebody who keeps a book of their own: the way it goes, whether it comes twice, how long it
    /// takes there and back.
    pub(crate) fn on_the_way(&self) -> (Way, bool, Duration, Duration) {
        let mut inner = self.lock();
        let slow = inner.faults.slow.max(Duration::from_millis(5));
        let (there, back) = (inner.chance.within(slow), inner.chance.within(slow));
        let (way, doubled) = inner.weather();
        (way, doubled, there, back)
    }

    async fn call(&self, call: Call) -> Result<u64, Failure> {
        let mut dropped = Dropped(self, &call.key, true);
        let (way, there, back) = self.lock().travel(&call);
        let outcome = match way {
            Way::Broken => {
                dropped.2 = false;
                std::panic::resume_unwind(Box::new("the line broke"))
            }
            Way::Transient => Err(Failure::Transient("no line".into())),
            Way::Fatal => Err(Failure::Fatal("an odd answer".into())),
            Way::LostRequest => {
                tokio::time::sleep(TIMEOUT * 2).await;
                Err(Failure::Unknown("no answer".into()))
            }
            Way::Late => {
                let (world, call) = (self.clone(), call.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(TIMEOUT + there).await;
                    drop(world.lock().execute(&call));
                });
                dropped.2 = false;
                tokio::time::sleep(TIMEOUT * 2).await;
                Err(Failure::Unknown("no answer".into()))
            }
            Way::Straight | Way::LostReply => {
                tokio::time::sleep(there).await;
                let outcome = self.lock().execute(&call);
                if way == Way::LostReply {
                    dropped.2 = false;
                    tokio::time::sleep(TIMEOUT * 2).await;
                    Err(Failure::Unknown("no answer".into()))
                } else {
                    tokio::time::sleep(back).await;
                    outcome
                }
            }
        };
        dropped.2 = false;
        outcome
    }
}

impl Inner {
    /// The way of a call: its fate first, then what else goes wrong.
    fn travel(&mut self, call: &Call) -> (Way, Duration, Duration) {
        let slow = self.faults.slow.max(Duration::from_millis(5));
        let (there, back) = (self.chance.within(slow), self.chance.within(slow));
        let entry = self.ledger.entry(call.key.clone()).or_default();
        let nth = {
            let calls = &mut entry.calls[usize::from(call.undo)];
            *calls = calls.saturating_add(1);
            *calls
        };
        let fated = match (call.undo, call.fate, call.undo_fate) {
            (true, _, UndoFate::Transient(n)) if nth <= n => Way::Transient,
            (true, _, UndoFate::Mute(n)) if nth <= n => Way::LostReply,
            (true, ..) => Way::Straight,
            (false, Fate::Transient(n), _) if nth <= n => Way::Transient,
            (false, Fate::Silent(n), _) if nth <= n => Way::LostRequest,
            (false, Fate::Mute(n), _) if nth <= n => Way::LostReply,
            (false, Fate::Late(n), _) if nth <= n => Way::Late,
            (false, Fate::Broken(n), _) if nth <= n => Way::Broken,
            (false, Fate::Lost { happens: true }, _) => Way::LostReply,
            (false, Fate::Lost { happens: false }, _) => Way::LostRequest,
            (false, Fate::Fatal, _) => Way::Fatal,
            _ => Way::Straight,
        };
        if fated != Way::Straight {
            return (fated, there, back);
        }
        let (drawn, doubled) = self.weather();
        if drawn != Way::Straight {
            self.ledger.entry(call.key.clone()).or_default().disturbed = true;
        }
        if doubled {
            drop(self.execute(call));
        }
        (drawn, there, back)
    }

    /// What goes wrong on the way of any call, and whether it comes twice.
    fn weather(&mut self) -> (Way, bool) {
        let faults = self.faults;
        let mut drawn = Way::Straight;
        for (rate, way, name) in [
            (faults.lost_request, Way::LostRequest, "participant.lost_request"),
            (faults.lost_reply, Way::LostReply, "participant.lost_reply"),
            (faults.late, Way::Late, "participant.late"),
            (faults.transient, Way::Transient, "participant.transient"),
        ] {
            if drawn == Way::Straight && self.chance.hits(rate) {
                drawn = way;
                *self.counts.entry(name).or_default() += 1;
            }
        }
        // What certainly did not happen did not happen twice either.
        let doubled = drawn != Way::Transient && self.chance.hits(faults.doubled);
        if doubled {
            *self.counts.entry("participant.doubled").or_default() += 1;
        }
        (drawn, doubled)
    }

    /// The contract of a participant.
    fn execute(&mut self, call: &Call) -> Result<u64, Failure> {
        let no = |code: &str| Err(Failure::refused(code, code));
        let entry = self.ledger.entry(call.key.clone()).or_default();
        let seen = entry.seen.entry((call.undo, call.round)).or_insert_with(|| call.bytes.clone());
        if *seen != call.bytes {
            entry.breach = Some(format!("round {} came as {seen} and as {}", call.round, call.bytes));
            return Err(Failure::Fatal("the same key and round with other bytes".into()));
        }
        if call.undo {
            if entry.undone {
                return Ok(0);
            }
            let refused = match call.undo_fate {
                UndoFate::Hopeless => true,
                UndoFate::Refused(n) => call.round <= u32::from(n),
                _ => false,
            };
            if entry.done > 0 && refused {
                entry.undo_refused.insert(call.round);
                return no("undo_refused");
            }
            if entry.done > 0 {
                entry.net -= 1;
            }
            entry.undone = true;
            return Ok(0);
        }
        if entry.undone && !palinode::zoo!("participant-without-tombstone") {
            return no("tombstoned");
        }
        if entry.done > 0 && !palinode::zoo!("participant-without-memory") {
            return Ok(1);
        }
        if call.round < entry.highest || entry.refused.contains(&call.round) {
            return no("refused");
        }
        entry.highest = call.round;
        if call.fate == Fate::Refused {
            entry.refused.insert(call.round);
            return no("refused");
        }
        entry.done += 1;
        entry.net += 1;
        Ok(1)
    }
}
