//! Facts and levels as metrics: which instrument each is, and with which attributes. Every attribute has few values.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
};

use ::opentelemetry::metrics::{Counter, Histogram, Meter};

use super::{
    super::{Fact, Instrument, InstrumentKind, Level, Levels, Measured},
    instruments as known,
    sets::{Sets, attributes},
    standard::Standard,
};

/// The instruments of one meter.
pub(super) struct Metrics {
    meter: Meter,
    command_duration: Histogram<f64>,
    commit_duration: Histogram<f64>,
    commit_events: Histogram<f64>,
    commit_bytes: Histogram<f64>,
    input_wait: Histogram<f64>,
    records_dead: Counter<u64>,
    append_outcome: Counter<u64>,
    gap_reads: Counter<u64>,
    shard_claims: Counter<u64>,
    takeover_duration: Histogram<f64>,
    timer_delay: Histogram<f64>,
    safety_violations: Counter<u64>,
    projection_batch_duration: Histogram<f64>,
    projection_events: Counter<u64>,
    activity_duration: Histogram<f64>,
    activity_rejected: Counter<u64>,
    sets: Sets,
    standard: Standard,
    /// Those of what is above the engine, made when they are first met.
    others: RwLock<BTreeMap<&'static str, Other>>,
    sources: Arc<Sources>,
    /// The gauges that there are.
    gauges: Mutex<Vec<&'static str>>,
}

#[derive(Clone)]
enum Other {
    Counter(Counter<f64>),
    Histogram(Histogram<f64>),
}

/// Nothing but the service.
const NONE: &[(&str, &str)] = &[];

/// Who has levels.
type Sources = Mutex<Vec<Weak<dyn Levels>>>;

impl Metrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let (histogram, counter) = (|of| histogram(meter, of), |of| counter(meter, of));
        let metrics = Self {
            command_duration: histogram(&known::COMMAND_DURATION),
            commit_duration: histogram(&known::COMMIT_DURATION),
            commit_events: histogram(&known::COMMIT_EVENTS),
            commit_bytes: histogram(&known::COMMIT_BYTES),
            input_wait: histogram(&known::INPUT_WAIT),
            records_dead: counter(&known::RECORDS_DEAD),
            append_outcome: counter(&known::APPEND_OUTCOME),
            gap_reads: counter(&known::GAP_READS),
            shard_claims: counter(&known::SHARD_CLAIMS),
            takeover_duration: histogram(&known::TAKEOVER_DURATION),
            timer_delay: histogram(&known::TIMER_DELAY),
            safety_violations: counter(&known::SAFETY_VIOLATIONS),
            projection_batch_duration: histogram(&known::PROJECTION_BATCH_DURATION),
            projection_events: counter(&known::PROJECTION_EVENTS),
            activity_duration: histogram(&known::ACTIVITY_DURATION),
            activity_rejected: counter(&known::ACTIVITY_REJECTED),
            sets: Sets::default(),
            standard: Standard::new(meter),
            meter: meter.clone(),
            others: RwLock::default(),
            sources: Arc::default(),
            gauges: Mutex::default(),
        };
        known::ALL.iter().for_each(|instrument| metrics.gauge(instrument));
        metrics
    }

    pub(super) fn fact(&self, service: &str, fact: &Fact<'_>) {
        let of = |more: &[(&'static str, &str)]| attributes(service, more);
        match *fact {
            Fact::Answered { kind, answer, took } => {
                let more = [("kind", kind), ("outcome", answer.word())];
                self.sets.with(service, &more, |of| self.command_duration.record(took.as_secs_f64(), of));
            }
            Fact::Waited(waited) => {
                self.sets.with(service, NONE, |of| self.input_wait.record(waited.as_secs_f64(), of));
            }
            Fact::Appended(outcome) => {
                let more = [("outcome", outcome.word())];
                self.sets.with(service, &more, |of| self.append_outcome.add(1, of));
            }
            Fact::Effective { took, events, bytes } => {
                self.sets.with(service, NONE, |of| {
                    self.commit_duration.record(took.as_secs_f64(), of);
                    self.commit_events.record(float(events as u64), of);
                    self.commit_bytes.record(float(bytes as u64), of);
                });
            }
            Fact::Dead(why) => self.records_dead.add(1, &of(&[("reason", why.word())])),
            Fact::GapRead => self.gap_reads.add(1, &of(&[])),
            Fact::Claimed { counts } => {
                self.shard_claims.add(1, &of(&[("result", if counts { "counted" } else { "dead" })]));
            }
            Fact::TakenOver { phase, took } => {
                self.takeover_duration.record(took.as_secs_f64(), &of(&[("phase", phase.word())]));
            }
            Fact::Fired(late) => self.timer_delay.record(late.as_secs_f64(), &of(&[])),
            Fact::Violated { invariant } => self.safety_violations.add(1, &of(&[("invariant", invariant)])),
            Fact::Ran { activity, outcome, took } => {
                let of = of(&[("activity", activity), ("outcome", outcome)]);
                self.activity_duration.record(took.as_secs_f64(), &of);
            }
            Fact::NotRun { activity, reason } => {
                self.activity_rejected.add(1, &of(&[("activity", activity), ("reason", reason)]));
            }
            Fact::Projected { projection, result, events, took } => {
                let of = of(&[("projection", projection), ("result", result)]);
                self.projection_batch_duration.record(took.as_secs_f64(), &of);
                self.projection_events.add(events as u64, &of);
            }
            Fact::Sent { system, topic, messages, outcome } => {
                self.standard.sent((&self.sets, service), (system, topic), messages, outcome);
            }
            Fact::Processed { system, topic, took, error } => {
                self.standard.processed((&self.sets, service), (system, topic), took.as_secs_f64(), error);
            }
            Fact::Queried { system, query, took, error } => {
                self.standard.queried((&self.sets, service), system, &query, took.as_secs_f64(), error);
            }
            Fact::Measured(measured) => self.measured(service, measured),
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

    fn measured(&self, service: &str, measured: &Measured) {
        let Measured { instrument, value, attributes: more } = measured;
        let Some(other) = self.other(instrument) else { return };
        self.sets.with(service, more, |of| match other {
            Other::Counter(counter) => counter.add(*value, of),
            Other::Histogram(histogram) => histogram.record(*value, of),
        });
    }

    fn other(&self, instrument: &'static Instrument) -> Option<Other> {
        if let Some(other) = self.others.read().unwrap_or_else(PoisonError::into_inner).get(instrument.name) {
            return Some(other.clone());
        }
        let Instrument { name, unit, about, .. } = *instrument;
        let other = match instrument.kind {
            InstrumentKind::Counter => {
                Other::Counter(self.meter.f64_counter(name).with_unit(unit).with_description(about).build())
            }
            InstrumentKind::Histogram => Other::Histogram(histogram(&self.meter, instrument)),
            InstrumentKind::Gauge => return None,
        };
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        Some(others.entry(name).or_insert(other).clone())
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
        Level::Measured(Measured { instrument, value, attributes: more }) if instrument.name == gauge => {
            to.observe(*value, &attributes(service, more));
        }
        Level::Measured(_) => {}
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn float(number: u64) -> f64 {
    number as f64
}

pub(super) fn histogram(meter: &Meter, of: &Instrument) -> Histogram<f64> {
    let builder = meter.f64_histogram(of.name).with_unit(of.unit).with_description(of.about);
    builder.with_boundaries(of.buckets.to_vec()).build()
}

pub(super) fn counter(meter: &Meter, of: &Instrument) -> Counter<u64> {
    meter.u64_counter(of.name).with_unit(of.unit).with_description(of.about).build()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
