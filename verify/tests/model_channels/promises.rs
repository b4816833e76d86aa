//! What must be true of every state, and what must be reached.

use stateright::Property;

use crate::model::{Bounds, State};

pub(crate) const ONCE: &str = "C1: 1, 2, 3, each exactly once";
pub(crate) const HEALS: &str = "C2: no hole for ever";
pub(crate) const SAFE: &str = "C3: not forgotten before it is effective at its receiver";
pub(crate) const LOW: &str = "what was passed over is effective";

impl State {
    /// C1: what is effective at the receiver is what the sender's log says, in its order, each once.
    fn delivered_once_in_order(&self) -> bool {
        self.sender.sent.starts_with(&self.receiver.accepted)
    }

    /// C3: what the sender forgets, or believes to be safe, is effective at the receiver.
    fn nothing_is_forgotten_early(&self) -> bool {
        usize::from(self.sender.closed.max(self.sender.acked)) <= self.receiver.accepted.len()
    }

    /// What lies before the place where a new owner resumes is effective.
    fn nothing_is_passed_over(&self) -> bool {
        let mut passed = self.inbox.iter().take(self.receiver.low.into()).flatten();
        passed.all(|wire| usize::from(wire.seq) <= self.receiver.accepted.len())
    }
}

/// The promises, and the rare states that show that they were put to the test.
pub(crate) fn promises() -> Vec<Property<Bounds>> {
    vec![
        Property::always(ONCE, |_, state: &State| state.delivered_once_in_order()),
        Property::always(HEALS, |bounds: &Bounds, state: &State| bounds.heals(state)),
        Property::always(SAFE, |_, state: &State| state.nothing_is_forgotten_early()),
        Property::always(LOW, |_, state: &State| state.nothing_is_passed_over()),
        Property::sometimes("the road changes between two messages", |_, state: &State| {
            let both = |seq| state.mailbox.iter().any(|w| w.seq == seq);
            both(2) && state.inbox.iter().flatten().any(|w| w.seq == 1)
        }),
        Property::sometimes("a message is held back", |_, state: &State| !state.receiver.holds.is_empty()),
        Property::sometimes("a sent message died and another took its number", |_, state: &State| {
            state.sender.sent.iter().zip(1..).any(|(content, seq)| content / 10 == seq && content % 10 > 0)
        }),
        Property::sometimes("everything is closed", |bounds: &Bounds, state: &State| {
            state.sender.closed == bounds.sends
        }),
    ]
}
