//! Rooms or seats, ten of each: the aggregate that the sagas of the tour hold and release.

use std::collections::BTreeSet;

use palinode::{Aggregate, Context};
use serde::{Deserialize, Serialize};

/// Who holds one of them.
#[derive(Default, Serialize, Deserialize)]
pub struct Stock {
    held: BTreeSet<String>,
}

/// What can be asked.
#[derive(Serialize, Deserialize)]
pub enum Command {
    /// One for this guest.
    Hold(String),
    /// This guest's one.
    Release(String),
}

/// What can happen.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// A guest has one.
    Held(String),
    /// A guest has none any more.
    Released(String),
}

impl Aggregate for Stock {
    const SERVICE: &'static str = "travel";
    const KIND: &'static str = "stock";
    type Command = Command;
    type Event = Event;
    type Reply = ();
    type Rejection = String;

    fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, String> {
        match command {
            Command::Hold(guest) if self.held.contains(guest) => Ok(vec![]),
            Command::Hold(_) if self.held.len() >= 10 => Err("all ten are held".into()),
            Command::Hold(guest) => Ok(vec![Event::Held(guest.clone())]),
            Command::Release(guest) if self.held.contains(guest) => Ok(vec![Event::Released(guest.clone())]),
            // Nothing to release is no reason to refuse: an undo may come for what was never done.
            Command::Release(_) => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Held(guest) => self.held.insert(guest.clone()),
            Event::Released(guest) => self.held.remove(guest),
        };
    }

    fn reply(&self, _command: &Command) {}
}

#[cfg(test)]
mod tests {
    use palinode::testing::given;

    use super::*;

    fn held(guest: &str) -> Event {
        Event::Held(guest.into())
    }

    #[test]
    fn each_guest_holds_one_of_ten() {
        given::<Stock>([]).when(Command::Hold("ada".into())).then([held("ada")]);
        given::<Stock>([held("ada")]).when(Command::Hold("ada".into())).then_nothing();
        let ten = (0..10).map(|n| held(&n.to_string()));
        given::<Stock>(ten).when(Command::Hold("ada".into())).then_rejected(|no| no == "all ten are held");
    }

    #[test]
    fn a_release_is_never_refused() {
        let gone = Event::Released("ada".into());
        given::<Stock>([held("ada")]).when(Command::Release("ada".into())).then([gone]);
        given::<Stock>([]).when(Command::Release("ada".into())).then_nothing();
    }

    #[test]
    fn the_recorded_events_stay_readable() {
        palinode::testing::golden_events::<Stock>(
            "golden/stock",
            [held("ada"), Event::Released("ada".into())],
        );
    }
}
