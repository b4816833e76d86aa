//! A workbench: machines of one service over a counter and a sender, driven by hand.

use std::{sync::Arc, time::Duration};

use palinode::{
    Aggregate, Context, CountedIds, Ids, Micros,
    address::{Address, EntityKey},
    commit::{EventRecord, Peer, TimerSet},
    digest::Digest,
    entity::{AggregateKind, Decision, Entity, EntityInput, Kind, Kinds, Recorded, SendRequest, Unfit},
    machine::{Directory, Encoded, Incoming, Input, Machine, Quiet, Step, Stepped, ids::WindowSize},
    message::ClientMessage,
};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use uuid::Uuid;

pub(crate) const NOW: Micros = Micros(1_700_000_000_000_000);

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    count: i64,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Command {
    Add(i64),
    PanicInDecide,
    PanicInEvolve,
    ReplyOf(usize),
    EventOf(usize),
    Events(usize),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Added(i64),
    Cursed,
    Padded(usize),
    Noted(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Rejection {
    Negative { count: i64 },
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Negative { count } = self;
        write!(f, "it would be below zero: {count}")
    }
}

impl Aggregate for Counter {
    const SERVICE: &'static str = "test";
    const KIND: &'static str = "counter";
    type Command = Command;
    type Event = Event;
    type Reply = String;
    type Rejection = Rejection;

    fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Add(n) if self.count + n < 0 => Err(Rejection::Negative { count: self.count }),
            Command::Add(n) => Ok(vec![Event::Added(*n)]),
            Command::PanicInDecide => panic!("as asked"),
            Command::PanicInEvolve => Ok(vec![Event::Cursed]),
            Command::ReplyOf(n) => Ok(vec![Event::Padded(*n)]),
            Command::EventOf(n) => Ok(vec![Event::Noted("x".repeat(*n))]),
            Command::Events(n) => Ok((0..*n).map(Event::Padded).collect()),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Added(n) => self.count += n,
            Event::Cursed => panic!("cursed"),
            Event::Padded(_) | Event::Noted(_) => {}
        }
    }

    fn reply(&self, command: &Command) -> String {
        match command {
            Command::ReplyOf(n) => "x".repeat(*n),
            _ => self.count.to_string(),
        }
    }
}

/// A kind that sends `{"Add": n}` to a counter for every message, and keeps the answers; the one named `fragile` cannot
/// take them, unless its code is mended. A message for `later` sets a timer of ten seconds instead.
#[derive(Default)]
pub(crate) struct SenderKind {
    mended: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct Sender {
    answers: u64,
    fragile: bool,
}

impl Kind for SenderKind {
    fn name(&self) -> &str {
        "sender"
    }
    fn blank(&self, id: &Arc<str>) -> Box<dyn Entity> {
        Box::new(Sender { answers: 0, fragile: &**id == "fragile" && !self.mended })
    }
    fn restore(&self, _id: &Arc<str>, saved: &[u8]) -> Result<Box<dyn Entity>, Unfit> {
        let mut sender: Sender = serde_json::from_slice(saved).map_err(|e| Unfit::new(e.to_string()))?;
        sender.fragile &= !self.mended;
        Ok(Box::new(sender))
    }
}

impl Entity for Sender {
    fn handle(&mut self, input: &EntityInput<'_>, cx: &Context) -> Result<Decision, Unfit> {
        let mut decision = Decision::accepted();
        match input {
            EntityInput::Message { data, .. } => {
                let to: String = serde_json::from_str(data.get()).map_err(|e| Unfit::new(e.to_string()))?;
                if to == "later" {
                    let due = cx.time.plus(Duration::from_secs(10));
                    decision.timers.set.push(TimerSet { node: "later".into(), serial: 1, due });
                    return Ok(decision);
                }
                decision.sends.push(SendRequest {
                    to: Address::new("test", "counter", to),
                    name: "counter".into(),
                    data: to_raw_value(&Command::Add(1)).unwrap(),
                    re: Some(cx.version.to_string().into()),
                    parent: None,
                });
            }
            EntityInput::Reply { .. } if self.fragile => return Err(Unfit::new("broken by the answer")),
            EntityInput::Reply { data, .. } => {
                self.answers += 1;
                let data = (*data).to_owned();
                decision.events.push(EventRecord { name: "sender.answered".into(), schema: 1, data });
            }
            EntityInput::Timer { .. } | EntityInput::Activity(_) => {}
        }
        Ok(decision)
    }
    fn apply(&mut self, _event: &EventRecord, _commit: &Recorded<'_>) -> Result<(), Unfit> {
        self.answers += 1;
        Ok(())
    }
    fn save(&self) -> Result<Vec<u8>, Unfit> {
        serde_json::to_vec(self).map_err(|e| Unfit::new(e.to_string()))
    }
}

pub(crate) const LOG: Uuid = Uuid::from_u128(7);

fn kinds(mended: bool) -> Kinds {
    let mut kinds = Kinds::default();
    kinds.add(Arc::new(AggregateKind::<Counter>::default())).unwrap();
    kinds.add(Arc::new(SenderKind { mended })).unwrap();
    kinds
}

/// One machine, and what it committed.
pub(crate) struct Bench {
    pub(crate) machine: Machine,
    pub(crate) ids: CountedIds,
    pub(crate) now: Micros,
    pub(crate) commits: Vec<Stepped>,
}

/// The machine of one shard of a service with this many.
pub(crate) fn machine(shard: u32, partitions: u32) -> Machine {
    machine_of(kinds(false), shard, partitions)
}

/// The same of a build in which no sender is fragile.
pub(crate) fn mended() -> Machine {
    machine_of(kinds(true), 0, 1)
}

fn machine_of(kinds: Kinds, shard: u32, partitions: u32) -> Machine {
    let mut directory = Directory::default();
    directory.add("test".into(), LOG, partitions);
    let me = Peer { service: "test".into(), log_id: LOG, shard };
    Machine::new(me, kinds, Arc::new(directory), WindowSize::default(), Digest::of(b"genesis"))
}

impl Bench {
    pub(crate) fn new(shard: u32, partitions: u32) -> Self {
        let mut machine = machine(shard, partitions);
        machine.claimed(1, Uuid::from_u128(1));
        Self { machine, ids: CountedIds::default(), now: NOW, commits: Vec::new() }
    }

    pub(crate) fn single() -> Self {
        Self::new(0, 1)
    }

    pub(crate) fn command(&self, id: &str, command: &Command) -> ClientMessage {
        ClientMessage {
            id: self.ids.fresh(self.now),
            to: Address::new("test", "counter", id),
            name: "counter".into(),
            data: to_raw_value(command).unwrap(),
            expect_version: None,
            traceparent: None,
        }
    }

    pub(crate) fn send_to(&self, sender: &str, counter: &str) -> ClientMessage {
        ClientMessage {
            to: Address::new("test", "sender", sender),
            name: "sender".into(),
            data: to_raw_value(counter).unwrap(),
            ..self.command(sender, &Command::Add(0))
        }
    }

    /// One input; entities come out of nowhere, as without a snapshot.
    pub(crate) fn step(&mut self, input: &Input) -> Step {
        match self.machine.step(self.now, input) {
            Step::Missing(key) => {
                self.machine.load(&key, None).unwrap();
                self.step(input)
            }
            step => step,
        }
    }

    /// One input that becomes a commit.
    pub(crate) fn commit(&mut self, input: &Input) -> &Stepped {
        match self.step(input) {
            Step::Commit(stepped) => self.commits.push(*stepped),
            other => panic!("expected a commit, got {other:?}"),
        }
        self.commits.last().unwrap()
    }

    /// One input that becomes none.
    pub(crate) fn quiet(&mut self, input: &Input) -> Quiet {
        match self.step(input) {
            Step::Quiet(quiet) => quiet,
            other => panic!("expected no commit, got {other:?}"),
        }
    }

    pub(crate) fn client(&mut self, message: &ClientMessage) -> &Stepped {
        self.commit(&Input::Client(Box::new(message.clone())))
    }
}

/// A message as it arrives on the other side.
pub(crate) fn arriving(message: &Encoded, offset: Option<u64>) -> Input {
    Input::Channel(Box::new(Incoming::decode(message.raw().get().as_bytes(), offset).unwrap()))
}

/// An id of a counter that lives on this shard.
pub(crate) fn counter_on(shard: u32, partitions: u32) -> String {
    (0..)
        .map(|n| format!("c{n}"))
        .find(|id| EntityKey::new("counter", id.as_str()).shard(partitions) == shard)
        .unwrap()
}
