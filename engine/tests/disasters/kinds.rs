//! What lives in the world: a counter that can be asked, and a desk that asks counters by message and keeps the answers.

use std::{fmt, sync::Arc};

use palinode::{
    Address, Aggregate, Context, Service,
    commit::EventRecord,
    entity::{Decision, Entity, EntityInput, Kind, Recorded, SendRequest, Unfit},
};
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    count: i64,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Command {
    Add(i64),
    Take(i64),
    Curse,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Added(i64),
    Cursed,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotEnough {
    pub(crate) count: i64,
}

impl fmt::Display for NotEnough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are only {}", self.count)
    }
}

impl Aggregate for Counter {
    const SERVICE: &'static str = "bank";
    const KIND: &'static str = "counter";
    type Command = Command;
    type Event = Event;
    type Reply = i64;
    type Rejection = NotEnough;

    fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, NotEnough> {
        match command {
            Command::Add(n) => Ok(vec![Event::Added(*n)]),
            Command::Take(n) if *n > self.count => Err(NotEnough { count: self.count }),
            Command::Take(n) => Ok(vec![Event::Added(-n)]),
            Command::Curse => Ok(vec![Event::Cursed]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Added(n) => self.count += n,
            Event::Cursed => panic!("cursed"),
        }
    }

    fn reply(&self, _command: &Command) -> i64 {
        self.count
    }
}

/// A kind that, told the name of a counter and how many, sends it so many `Add(1)`, and records each answer.
struct DeskKind;

#[derive(Default, Serialize, Deserialize)]
struct Desk {
    answers: u64,
}

/// What a desk is told: which counter, and how many messages to send to it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) counter: Arc<str>,
    pub(crate) messages: u32,
}

impl Kind for DeskKind {
    fn name(&self) -> &str {
        "desk"
    }

    fn blank(&self, _id: &Arc<str>) -> Box<dyn Entity> {
        Box::new(Desk::default())
    }

    fn restore(&self, _id: &Arc<str>, saved: &[u8]) -> Result<Box<dyn Entity>, Unfit> {
        let desk: Desk = serde_json::from_slice(saved).map_err(|e| Unfit::new(e.to_string()))?;
        Ok(Box::new(desk))
    }
}

impl Entity for Desk {
    fn handle(&mut self, input: &EntityInput<'_>, _cx: &Context) -> Result<Decision, Unfit> {
        let mut decision = Decision::accepted();
        match input {
            EntityInput::Message { data, .. } => {
                let order: Order = serde_json::from_str(data.get()).map_err(|e| Unfit::new(e.to_string()))?;
                let add = || to_raw_value(&Command::Add(1)).unwrap();
                decision.sends.extend((0..order.messages).map(|n| SendRequest {
                    to: Address::new("bank", "counter", Arc::clone(&order.counter)),
                    name: "counter".into(),
                    data: add(),
                    re: Some(n.to_string().into()),
                    parent: None,
                }));
            }
            EntityInput::Reply { data, .. } => {
                self.answers += 1;
                let data = (*data).to_owned();
                decision.events.push(EventRecord { name: "desk.answered".into(), schema: 1, data });
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

pub(crate) fn bank() -> Service {
    Service::new("bank").aggregate::<Counter>()
}

pub(crate) fn desks() -> Service {
    Service::new("desk").kind(Arc::new(DeskKind))
}
