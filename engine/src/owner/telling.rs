//! What an owner tells of its work: facts, with the name of its service.

use super::*;

impl Owner<'_> {
    /// Tells a fact of this service.
    pub(super) fn fact<'f>(&self, fact: impl FnOnce() -> Fact<'f>) {
        self.ports.telemetry.fact(&self.place.me.service, fact);
    }

    /// Tells of commits that became effective now.
    pub(super) fn tell_effective(&self, proven: &[(Flight, u64)]) {
        if !self.ports.telemetry.is_on() {
            return;
        }
        let now = self.ports.clock.now();
        for (Flight { sent, stepped, .. }, _) in proven {
            self.fact(|| Fact::Effective {
                took: now.since(*sent),
                events: stepped.commit.events.len(),
                bytes: stepped.value.len(),
            });
        }
    }
}
