//! Facts and levels as metrics: which instrument each is, and with which attributes. Every attribute has few values.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use ::opentelemetry::metrics::{Histogram, Meter};

use super::{
    super::{Fact, Instrument, InstrumentKind, Level, Levels, Measured},
    family::{Counts, Durations, Family, attributes, counter, histogram},
    instruments as known,
    others::Others,
    series::Binding,
    standard::Standard,
};

/// The instruments of one meter.
pub(super) struct Metrics {
    meter: Meter,
    command_duration: Durations,
    /// Duration, events and bytes.
    commit: Family<[Histogram<f64>; 3]>,
    input_wait: Durations,
    records_dead: Counts,
    append_outcome: Counts,
    gap_reads: Counts,
    shard_claims: Counts,
    takeover_duration: Durations,
    timer_delay: Durations,
    safety_violations: Counts,
    projection_batch_duration: Durations,
    projection_events: Counts,
    activity_duration: Durations,
    activity_rejected: Counts,
    standard: Standard,
    others: Others,
    sources: Arc<Sources>,
    /// The gauges that there are.
    gauges: Mutex<Vec<&'static str>>,
}

/// Nothing but the service.
const NONE: &[(&str, &str)] = &[];

/// Who has levels.
type Sources = Mutex<Vec<Weak<dyn Levels>>>;

impl Metrics {
    pub(super) fn new(meter: &Meter, binding: Binding) -> Self {
        let durations = |of| Family::new(histogram(meter, of), binding);
        let counts = |of| Family::new(counter(meter, of), binding);
        let commit = [&known::COMMIT_DURATION, &known::COMMIT_EVENTS, &known::COMMIT_BYTES];
        let metrics = Self {
            command_duration: durations(&known::COMMAND_DURATION),
            commit: Family::new(commit.map(|of| histogram(meter, of)), binding),
            input_wait: durations(&known::INPUT_WAIT),
            records_dead: counts(&known::RECORDS_DEAD),
            append_outcome: counts(&known::APPEND_OUTCOME),
            gap_reads: counts(&known::GAP_READS),
            shard_claims: counts(&known::SHARD_CLAIMS),
            takeover_duration: durations(&known::TAKEOVER_DURATION),
            timer_delay: durations(&known::TIMER_DELAY),
            safety_violations: counts(&known::SAFETY_VIOLATIONS),
            projection_batch_duration: durations(&known::PROJECTION_BATCH_DURATION),
            projection_events: counts(&known::PROJECTION_EVENTS),
            activity_duration: durations(&known::ACTIVITY_DURATION),
            activity_rejected: counts(&known::ACTIVITY_REJECTED),
            standard: Standard::new(meter, binding),
            meter: meter.clone(),
            others: Others::new(meter, binding),
            sources: Arc::default(),
            gauges: Mutex::default(),
        };
        known::ALL.iter().for_each(|instrument| metrics.gauge(instrument));
        metrics
    }

    pub(super) fn fact(&self, service: &str, fact: &Fact<'_>) {
        let took = |family: &Durations, more: &[_], took: Duration| {
            family.with(service, more, |of| of.record(took.as_secs_f64()));
        };
        let one = |family: &Counts, more: &[_]| family.with(service, more, |of| of.add(1));
        match *fact {
            Fact::Answered { kind, answer, took: time } => {
                took(&self.command_duration, &[("kind", kind), ("outcome", answer.word())], time);
            }
            Fact::Waited(all) => self.input_wait.with(service, NONE, |of| of.record_all(all)),
            Fact::Appended(outcome) => one(&self.append_outcome, &[("outcome", outcome.word())]),
            Fact::Effective(all) => {
                self.commit.with(service, NONE, |[duration, of_events, of_bytes]| {
                    for commit in all {
                        duration.record(commit.took.as_secs_f64());
                        of_events.record(float(commit.events as u64));
                        of_bytes.record(float(commit.bytes as u64));
                    }
                });
            }
            Fact::Dead(why) => one(&self.records_dead, &[("reason", why.word())]),
            Fact::GapRead => one(&self.gap_reads, NONE),
            Fact::Claimed { counts } => {
                one(&self.shard_claims, &[("result", if counts { "counted" } else { "dead" })]);
            }
            Fact::TakenOver { phase, took: time } => {
                took(&self.takeover_duration, &[("phase", phase.word())], time);
            }
            Fact::Fired(late) => took(&self.timer_delay, NONE, late),
            Fact::Violated { invariant } => one(&self.safety_violations, &[("invariant", invariant)]),
            Fact::Ran { activity, outcome, took: time } => {
                took(&self.activity_duration, &[("activity", activity), ("outcome", outcome)], time);
            }
            Fact::NotRun { activity, reason } => {
                one(&self.activity_rejected, &[("activity", activity), ("reason", reason)]);
            }
            Fact::Projected { projection, result, events, took: time } => {
                let more = [("projection", projection), ("result", result)];
                took(&self.projection_batch_duration, &more, time);
                self.projection_events.with(service, &more, |of| of.add(events as u64));
            }
            Fact::Sent { system, topic, messages, outcome } => {
                self.standard.sent(service, (system, topic), messages, outcome);
            }
            Fact::Processed { system, topic, took, error } => {
                self.standard.processed(service, (system, topic), took, error);
            }
            Fact::Queried { system, query, took, error } => {
                self.standard.queried(service, system, query, took, error);
            }
            Fact::Measured(measured) => self.others.tell(service, measured),
        }
    }

    /// From now on this one is asked too.
    pub(super) fn levels(&self, of: Weak<dyn Levels>) {
        if let Some(levels) = of.upgrade() {
            levels.instruments().iter().for_each(|instrument| self.gauge(instrument));
        }
        let mut sources = lock(&self.sources);
        sources.retain(|source| source.strong_count() > 0);
        sources.push(of);
    }

    /// Asks for a level whenever metrics are collected: whoever is gone then shows nothing any more.
    fn gauge(&self, instrument: &Instrument) {
        let Instrument { name, unit, about, kind, .. } = *instrument;
        let mut gauges = lock(&self.gauges);
        if kind != InstrumentKind::Gauge || gauges.contains(&name) {
            return;
        }
        gauges.push(name);
        let sources = Arc::clone(&self.sources);
        let observe = move |observer: &dyn ::opentelemetry::metrics::AsyncInstrument<f64>| {
            let alive: Vec<Arc<dyn Levels>> = lock(&sources).iter().filter_map(Weak::upgrade).collect();
            for source in alive {
                source.levels(&mut |service, level| reading(service, level, name, observer));
            }
        };
        let _ = self
            .meter
            .f64_observable_gauge(name)
            .with_unit(unit)
            .with_description(about)
            .with_callback(observe)
            .build();
    }
}

/// Shows a level to the gauge of this name, if it is its own.
fn reading(
    service: &str,
    level: &Level<'_>,
    gauge: &str,
    to: &dyn ::opentelemetry::metrics::AsyncInstrument<f64>,
) {
    let tell = |of: &'static Instrument, value: f64, more: &[(&'static str, &str)]| {
        if of.name == gauge {
            to.observe(value, &attributes(service, more));
        }
    };
    match *level {
        Level::Shards(shards) => tell(&known::SHARD_COUNT, float(shards), &[]),
        Level::Owned(shards) => tell(&known::SHARD_OWNED, float(shards), &[]),
        Level::Queue(inputs) => tell(&known::INPUT_QUEUE, float(inputs), &[]),
        Level::Pipeline(commits) => tell(&known::PIPELINE_DEPTH, float(commits), &[]),
        Level::Relay(messages) => tell(&known::RELAY_LAG, float(messages), &[]),
        Level::Held(messages) => tell(&known::CHANNEL_HELD, float(messages), &[]),
        Level::Snapshot(commits) => tell(&known::SNAPSHOT_LAG, float(commits), &[]),
        Level::Behind { projection, shard, events, time } => {
            let shard = shard.to_string();
            let of = [("projection", projection), ("shard", &*shard)];
            tell(&known::PROJECTION_LAG_EVENTS, float(events), &of);
            tell(&known::PROJECTION_LAG_TIME, time.as_secs_f64(), &of);
        }
        Level::Parked { projection, keys } => {
            tell(&known::PROJECTION_PARKED, float(keys), &[("projection", projection)]);
        }
        Level::Rebuilt { projection, done } => {
            tell(&known::PROJECTION_REBUILD_PROGRESS, done, &[("projection", projection)]);
        }
        Level::Measured(Measured { series, value }) if series.instrument().name == gauge => {
            to.observe(*value, &attributes(service, series.attributes()));
        }
        Level::Measured(_) => {}
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn float(number: u64) -> f64 {
    number as f64
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
