//! The engine's instruments: names, units and buckets, each once. The last are of the semantic conventions of OpenTelemetry
//! (their attributes in [`crate::trace::names`]), the others ours. What they mean and what to do about them is told in
//! `docs/metrics.md`.

use crate::measure::Instrument;

/// The buckets of durations, in seconds.
pub const DURATIONS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0,
];
const EVENTS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0];
const BYTES: &[f64] =
    &[256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0];

const fn counter(name: &'static str, unit: &'static str, about: &'static str) -> Instrument {
    Instrument::counter(name, unit, about)
}

const fn gauge(name: &'static str, unit: &'static str, about: &'static str) -> Instrument {
    Instrument::gauge(name, unit, about)
}

const fn seconds(name: &'static str, about: &'static str) -> Instrument {
    Instrument::histogram(name, "s", about, DURATIONS)
}

/// All of them, in the order of their page.
pub static ALL: &[&Instrument] = &[
    &COMMAND_DURATION,
    &COMMIT_DURATION,
    &COMMIT_EVENTS,
    &COMMIT_BYTES,
    &PIPELINE_DEPTH,
    &INPUT_QUEUE,
    &INPUT_WAIT,
    &RECORDS_DEAD,
    &APPEND_OUTCOME,
    &GAP_READS,
    &SHARD_COUNT,
    &SHARD_OWNED,
    &SHARD_CLAIMS,
    &TAKEOVER_DURATION,
    &RELAY_LAG,
    &CHANNEL_HELD,
    &SNAPSHOT_LAG,
    &TIMER_DELAY,
    &SAFETY_VIOLATIONS,
    &PROJECTION_LAG_EVENTS,
    &PROJECTION_LAG_TIME,
    &PROJECTION_BATCH_DURATION,
    &PROJECTION_EVENTS,
    &PROJECTION_PARKED,
    &PROJECTION_REBUILD_PROGRESS,
    &ACTIVITY_DURATION,
    &ACTIVITY_REJECTED,
    &MESSAGES_SENT,
    &MESSAGE_PROCESSING,
    &DATABASE_OPERATION,
];

macro_rules! instruments {
    ($($name:ident = $instrument:expr;)*) => {
        $(#[allow(missing_docs, reason = "each says what it measures")] pub static $name: Instrument = $instrument;)*
    };
}

instruments! {
    COMMAND_DURATION = seconds("palinode.command.duration", "From the call of a client to the answer.");
    COMMIT_DURATION = seconds("palinode.commit.duration", "From sending a commit to the log until it is effective.");
    COMMIT_EVENTS = Instrument::histogram("palinode.commit.events", "{event}", "Events of a commit.", EVENTS);
    // Not `By`: the Prometheus exporter appends a unit to a name that ends with it already.
    COMMIT_BYTES = Instrument::histogram("palinode.commit.bytes", "{byte}", "Size of the record of a commit.", BYTES);
    PIPELINE_DEPTH = gauge("palinode.pipeline.depth", "{commit}", "Commits in flight.");
    INPUT_QUEUE = gauge("palinode.input.queue", "{input}", "Inputs that wait for their shards.");
    INPUT_WAIT = seconds("palinode.input.wait", "From the arrival of an input to its step.");
    RECORDS_DEAD = counter("palinode.records.dead", "{record}", "Records met that do not count.");
    APPEND_OUTCOME = counter("palinode.append.outcome", "{append}", "What the log said of appends.");
    GAP_READS = counter("palinode.gap.reads", "{read}", "Times that a report did not tell whether commits count.");
    SHARD_COUNT = gauge("palinode.shard.count", "{shard}", "Shards that the service has.");
    SHARD_OWNED = gauge("palinode.shard.owned", "{shard}", "Shards owned by this process.");
    SHARD_CLAIMS = counter("palinode.shard.claims", "{claim}", "Claims appended, that count or are dead.");
    TAKEOVER_DURATION = seconds("palinode.takeover.duration", "Phases of taking a shard over.");
    RELAY_LAG = gauge("palinode.relay.lag", "{message}", "Messages not acknowledged by their receivers.");
    CHANNEL_HELD = gauge("palinode.channel.held", "{message}", "Messages that wait for one before them.");
    SNAPSHOT_LAG = gauge("palinode.snapshot.lag", "{commit}", "Commits since the last snapshot, of the worst shard.");
    TIMER_DELAY = seconds("palinode.timer.delay", "From when a timer was due to when it fired.");
    SAFETY_VIOLATIONS = counter("palinode.safety.violations", "{violation}", "Things met that must never be.");
    PROJECTION_LAG_EVENTS = gauge("projection.lag.events", "{event}", "Commits that are not in the tables yet.");
    PROJECTION_LAG_TIME = gauge("projection.lag.time", "s", "Since the tables last held everything.");
    PROJECTION_BATCH_DURATION = seconds("projection.batch.duration", "Transactions of projections.");
    PROJECTION_EVENTS = counter("projection.events", "{event}", "Events in batches of projections.");
    PROJECTION_PARKED = gauge("projection.parked", "{key}", "Keys that are parked.");
    PROJECTION_REBUILD_PROGRESS = gauge("projection.rebuild.progress", "1", "The part of the log that is in the tables.");
    ACTIVITY_DURATION = seconds("activity.duration", "Attempts of activities.");
    ACTIVITY_REJECTED = counter("activity.rejected", "{attempt}", "Attempts that were not begun.");
    MESSAGES_SENT = counter("messaging.client.sent.messages", "{message}", "Messages handed to what carries them.");
    MESSAGE_PROCESSING = seconds("messaging.process.duration", "Handling of messages, until it is durable.");
    DATABASE_OPERATION = seconds("db.client.operation.duration", "Questions to databases.");
}
