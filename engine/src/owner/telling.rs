//! What an owner tells of its work: facts, with the name of its service, and how full it is.

use super::*;
use crate::{
    commit::Cause,
    machine::Handled,
    message::Refusal,
    telemetry::Committed,
    trace::{SpanContext, names::value},
};

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

    /// Tells what the log said of a batch of commits.
    pub(super) fn tell_appended(&self, batch: &RangeInclusive<u64>, report: &Append) {
        let (outcome, system) = (Appending::from(report), self.ports.telemetry.carrier());
        self.fact(|| Fact::Appended(outcome));
        let last = batch.end().saturating_add(1);
        let messages = usize::try_from(last.saturating_sub(*batch.start())).unwrap_or(usize::MAX);
        self.fact(|| Fact::Sent { system, topic: &self.topic, messages, outcome });
    }

    /// Tells of commits that became effective now.
    pub(super) fn tell_effective(&self, proven: &[(Flight, u64)]) {
        if !self.ports.telemetry.is_on() {
            return;
        }
        let now = self.ports.clock.now();
        let mut effective = Vec::with_capacity(proven.len());
        let mut processed = BTreeMap::<_, Vec<Duration>>::new();
        for (Flight { sent, late, stepped, offset, .. }, _) in proven {
            let (commit, bytes) = (&stepped.commit, stepped.value.len());
            if let Some(late) = *late {
                self.fact(|| Fact::Fired(late));
            }
            effective.push(Committed { took: now.since(*sent), events: commit.events.len(), bytes });
            if matches!(commit.cause, Cause::Client { .. } | Cause::Channel { .. }) {
                let road = (self.came_by(*offset), commit.outcome.wrong());
                processed.entry(road).or_default().push(now.since(commit.time));
            }
        }
        self.fact(|| Fact::Effective(&effective));
        let topic = Topic::inbox(Arc::clone(&self.place.me.service));
        for ((system, error), took) in &processed {
            self.fact(|| Fact::Processed { system, topic: &topic, took, error: *error });
        }
    }

    /// What brought a message that lies here in the inbox, or nowhere.
    pub(super) fn came_by(&self, offset: Option<u64>) -> &'static str {
        offset.map_or(value::PALINODE, |_| self.ports.telemetry.carrier())
    }

    /// Logs an input that could not be taken: a bug of somebody's code, or what waits behind one.
    pub(super) fn say_wrong(&self, commit: &Commit, handled: Option<&Handled>) {
        let Some(outcome) = commit.outcome.wrong() else { return };
        let why = commit.answer.as_ref().and_then(|said| serde_json::from_str::<Refusal>(said.get()).ok());
        let of = handled.map(|handled| handled.here);
        let of = of.or_else(|| SpanContext::read(commit.traceparent.as_ref()));
        tracing::error!(
            service = %self.place.me.service, shard = self.place.me.shard, term = commit.term, pseq = commit.pseq,
            entity = commit.entity.as_ref().map(|entity| field::display(format!("{}/{}", entity.kind, entity.id))),
            trace_id = of.map(|of| field::display(of.trace)), span_id = of.map(|of| field::display(of.span)),
            outcome, why = why.map(|why| field::display(why.text)), "an input could not be taken"
        );
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
