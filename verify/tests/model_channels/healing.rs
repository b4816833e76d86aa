//! C2 is asked of every state: when nothing more goes wrong, does everything arrive?

use std::{cell::RefCell, collections::BTreeMap};

use crate::model::{Action, Bounds, State};

thread_local! {
    /// Many states differ only in what healing does not ask. A run has threads of its own, so the rules are always the same.
    static HEALED: RefCell<BTreeMap<State, bool>> = const { RefCell::new(BTreeMap::new()) };
}

impl Bounds {
    /// What is under way is lost, and then nothing more goes wrong: everything sent arrives, and the sender learns of it.
    pub(crate) fn heals(&self, state: &State) -> bool {
        let mut state = State { crashes: 0, losses: 0, doubles: 0, snapshots: 0, ..state.clone() };
        state.under_way.clear();
        if let Some(healed) = HEALED.with(|seen| seen.borrow().get(&state).copied()) {
            return healed;
        }
        let start = state.clone();
        let bounds = Self { records: 100, healing: true, ..self.clone() };
        state.settle(&bounds);
        for _ in 0..4 {
            bounds.advertise(&mut state);
            state.settle(&bounds);
        }
        let (s, r) = (&state.sender, &state.receiver);
        let healed = r.accepted == s.sent && usize::from(s.closed) == s.sent.len();
        HEALED.with(|seen| seen.borrow_mut().insert(start, healed));
        healed
    }
}

impl State {
    /// Everything that can go on without a fault does, once around.
    fn settle(&mut self, bounds: &Bounds) {
        for _ in 0..64 {
            let mut actions = Vec::new();
            self.work(&mut actions);
            actions.extend((!self.under_way.is_empty()).then_some(Action::Land(0)));
            let Some(action) = actions.first() else { return };
            bounds.act(self, action);
        }
    }
}
