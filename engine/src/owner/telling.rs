//! What an owner tells of its work: facts, with the name of its service, and how full it is.

use super::*;

/// Logs something of an owner, with the names by which every line of the log is found.
macro_rules! say {
    ($level:ident, $owner:expr, $($what:tt)*) => {{
        let (me, head) = (&$owner.place.me, $owner.machine.head());
        tracing::$level!(service = %me.service, shard = me.shard, term = head.term, pseq = head.pseq, $($what)*)
    }};
}
pub(super) use say;

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
        for (Flight { sent, late, stepped, .. }, _) in proven {
            if let Some(late) = *late {
                self.fact(|| Fact::Fired(late));
            }
            self.fact(|| Fact::Effective {
                took: now.since(*sent),
                events: stepped.commit.events.len(),
                bytes: stepped.value.len(),
            });
        }
    }

    /// Tells how long something waited that is stepped through now.
    pub(super) fn tell_wait(&self, came: Option<Micros>) {
        if let Some(came) = came {
            self.fact(|| Fact::Waited(self.ports.clock.now().since(came)));
        }
    }

    /// When this timer was due, if somebody is to be told how late it fires.
    pub(super) fn due(&self, input: &Input) -> Option<Micros> {
        match input {
            Input::Timer(id) if self.ports.telemetry.is_on() => self.machine.timers().due_at(id),
            _ => None,
        }
    }

    /// How full it is, at every turn of the loop.
    pub(super) fn gauge(&self, intake: &Intake) {
        if self.ports.telemetry.is_on() {
            let waiting = intake.calls.len() + intake.notes.len() + intake.inbox.len();
            self.place.gauges.turn(waiting, self.pipeline.len());
        }
    }

    /// The same of what is counted at a look only.
    pub(super) fn gauge_channels(&self) {
        if self.ports.telemetry.is_on() {
            let channels = self.machine.channels();
            let open = channels.outgoing().map(|(_, last, acked)| last.saturating_sub(acked)).sum();
            self.place.gauges.look(open, channels.held(), self.unsaved());
        }
    }
}
