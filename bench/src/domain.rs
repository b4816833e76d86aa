//! What is measured: an aggregate whose every command is one event of 200 bytes, and a saga of three steps on three
//! services. As small as the real thing can be, so that the engine is what is measured.

use palinode::{Aggregate, Context, Service};
use palinode_sagas::{Saga, SagaService};
use serde::{Deserialize, Serialize};

/// Counts what it was told; the three services differ only in their names.
macro_rules! counter {
    ($name:ident, $service:literal) => {
        /// Entries of this service.
        #[derive(Default, Serialize, Deserialize)]
        pub(crate) struct $name {
            entries: u64,
        }

        impl Aggregate for $name {
            const SERVICE: &'static str = $service;
            const KIND: &'static str = "counter";
            type Command = Command;
            type Event = Event;
            type Reply = u64;
            type Rejection = String;

            fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, String> {
                match command {
                    Command::Enter(text) => Ok(vec![Event::Entered(text.clone())]),
                    Command::EnterTimes(n, text) => {
                        Ok((0..*n).map(|_| Event::Entered(text.clone())).collect())
                    }
                    Command::Refuse => Err("refused".into()),
                    Command::Leave => Ok(vec![Event::Left]),
                }
            }

            fn evolve(&mut self, event: &Event) {
                match event {
                    Event::Entered(_) => self.entries += 1,
                    Event::Left => self.entries -= 1,
                }
            }

            fn reply(&self, _command: &Command) -> u64 {
                self.entries
            }
        }
    };
}

counter!(Hotel, "hotel");
counter!(Flight, "flight");
counter!(Car, "car");

/// What a counter can be told.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Command {
    /// One more, with this text.
    Enter(String),
    /// So many more, each an event.
    EnterTimes(u32, String),
    /// Is refused.
    Refuse,
    /// One less.
    Leave,
}

/// What happened to a counter.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    /// One more.
    Entered(String),
    /// One less.
    Left,
}

/// What the saga knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Trip {
    /// Which of the counters it enters.
    pub(crate) counter: u32,
    /// Whether the third step is refused.
    pub(crate) refused: bool,
    /// Who travels.
    pub(crate) guest: String,
}

/// Three steps on three services.
pub(crate) fn trip() -> Saga<Trip> {
    Saga::define("trip", 1)
        .step("room", |t: &Trip| Hotel::at(t.counter.to_string()).ask(Command::Enter(t.guest.clone())))
        .undo(|_, _| Command::Leave)
        .step("seat", |t| Flight::at(t.counter.to_string()).ask(Command::Enter(t.guest.clone())))
        .undo(|_, _| Command::Leave)
        .step("car", |t| {
            let ask = if t.refused { Command::Refuse } else { Command::Enter(t.guest.clone()) };
            Car::at(t.counter.to_string()).ask(ask)
        })
        .undo(|_, _| Command::Leave)
        .finish()
}

/// The service of the commands.
pub(crate) fn counters() -> [Service; 1] {
    [Service::new("hotel").aggregate::<Hotel>()]
}

/// The services of the sagas.
pub(crate) fn travel() -> [Service; 4] {
    [
        Service::new("trip").saga(&trip()),
        Service::new("hotel").aggregate::<Hotel>(),
        Service::new("flight").aggregate::<Flight>(),
        Service::new("car").aggregate::<Car>(),
    ]
}

/// A text that makes an event of 200 bytes.
pub(crate) fn text() -> String {
    "x".repeat(198)
}
