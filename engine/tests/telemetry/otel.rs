//! The adapter for OpenTelemetry, with a real SDK behind it: names, types, units, attributes and buckets, and that nobody
//! can make up new series.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
    time::Duration,
};

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
};
use palinode::{
    Topic,
    machine::fold::Dead,
    telemetry::{
        AnswerKind, Appending, Committed, Fact, Instrument, Level, Levels, Observe, Phase, Query,
        otel::{OpenTelemetry, instruments},
    },
};

use crate::world::{World, clients};

/// What one metric shows.
#[derive(Debug, Clone, PartialEq, Default)]
struct Shown {
    what: String,
    keys: BTreeSet<String>,
    series: usize,
    buckets: Vec<f64>,
    /// Values of counters and gauges, counts of histograms, together.
    sum: f64,
}

struct Collected {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
    observer: Arc<OpenTelemetry>,
}

fn collected() -> Collected {
    collected_by(OpenTelemetry::metrics)
}

fn collected_by(record: impl FnOnce(OpenTelemetry, &Meter) -> OpenTelemetry) -> Collected {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3_600)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let observer = Arc::new(record(OpenTelemetry::new(), &provider.meter("palinode")));
    Collected { provider, exporter, observer }
}

impl Collected {
    /// What is there now, by name.
    fn now(&self) -> BTreeMap<String, Shown> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let mut all = BTreeMap::new();
        let finished = self.exporter.get_finished_metrics().unwrap();
        let scopes = finished.iter().flat_map(ResourceMetrics::scope_metrics);
        for metric in scopes.flat_map(ScopeMetrics::metrics) {
            let mut shown = match metric.data() {
                AggregatedMetrics::F64(data) => shown(data, |value| value),
                AggregatedMetrics::U64(data) => shown(data, |value| f64::from(u32::try_from(value).unwrap())),
                AggregatedMetrics::I64(_) => panic!("nothing is signed"),
            };
            shown.what = format!("{} {}", shown.what, metric.unit());
            all.insert(metric.name().to_owned(), shown);
        }
        all
    }
}

fn shown<T: Copy>(data: &MetricData<T>, float: impl Fn(T) -> f64) -> Shown {
    let mut shown = Shown::default();
    let mut series = |keys: Vec<String>, value: f64| {
        shown.keys.extend(keys);
        shown.series += 1;
        shown.sum += value;
    };
    match data {
        MetricData::Gauge(gauge) => {
            for point in gauge.data_points() {
                series(point.attributes().map(|kv| kv.key.to_string()).collect(), float(point.value()));
            }
            shown.what = "gauge".into();
        }
        MetricData::Sum(sum) => {
            assert!(sum.is_monotonic());
            for point in sum.data_points() {
                series(point.attributes().map(|kv| kv.key.to_string()).collect(), float(point.value()));
            }
            shown.what = "counter".into();
        }
        MetricData::Histogram(histogram) => {
            let mut buckets = Vec::new();
            for point in histogram.data_points() {
                let count = f64::from(u32::try_from(point.count()).unwrap());
                series(point.attributes().map(|kv| kv.key.to_string()).collect(), count);
                buckets = point.bounds().collect();
            }
            shown.what = "histogram".into();
            shown.buckets = buckets;
        }
        MetricData::ExponentialHistogram(_) => panic!("the buckets are explicit"),
    }
    shown
}

/// The metrics of the engine: name, type, unit and attributes.
const NAMES: &str = "
palinode.command.duration    histogram s           kind outcome service
palinode.commit.duration     histogram s           service
palinode.commit.events       histogram {event}     service
palinode.commit.bytes        histogram {byte}      service
palinode.pipeline.depth      gauge {commit}        service
palinode.input.queue         gauge {input}         service
palinode.input.wait          histogram s           service
palinode.records.dead        counter {record}      reason service
palinode.append.outcome      counter {append}      outcome service
palinode.gap.reads           counter {read}        service
palinode.shard.count         gauge {shard}         service
palinode.shard.owned         gauge {shard}         service
palinode.shard.claims        counter {claim}       result service
palinode.takeover.duration   histogram s           phase service
palinode.relay.lag           gauge {message}       service
palinode.channel.held        gauge {message}       service
palinode.snapshot.lag        gauge {commit}        service
palinode.timer.delay         histogram s           service
palinode.safety.violations   counter {violation}   invariant service
projection.lag.events        gauge {event}         projection service shard
projection.lag.time          gauge s               projection service shard
projection.batch.duration    histogram s           projection result service
projection.events            counter {event}       projection result service
projection.parked            gauge {key}           projection service
projection.rebuild.progress  gauge 1               projection service
activity.duration            histogram s           activity outcome service
activity.rejected            counter {attempt}     activity reason service
messaging.client.sent.messages counter {message} \
    error.type messaging.destination.name messaging.operation.name messaging.system service
messaging.process.duration   histogram s \
    error.type messaging.destination.name messaging.operation.name messaging.system service
db.client.operation.duration histogram s \
    db.collection.name db.operation.name db.query.summary db.system.name error.type service
";

static INBOX: LazyLock<Topic> = LazyLock::new(|| Topic::inbox("bank"));

const WORDS: [&str; 3] = ["a", "b", "c"];

const TOOK: Duration = Duration::from_millis(3);

/// One of each fact.
fn facts() -> Vec<Fact<'static>> {
    let took = TOOK;
    vec![
        Fact::Answered { kind: "counter", answer: AnswerKind::Accepted, took },
        Fact::Waited(&[TOOK]),
        Fact::Appended(Appending::Unknown),
        Fact::Effective(&[Committed { took: TOOK, events: 2, bytes: 700 }]),
        Fact::Dead(Dead::LateCommit),
        Fact::GapRead,
        Fact::Claimed { counts: true },
        Fact::TakenOver { phase: Phase::Claim, took },
        Fact::Fired(took),
        Fact::Violated { invariant: "fold" },
        Fact::Ran { activity: "pay", outcome: "done", took },
        Fact::NotRun { activity: "pay", reason: "breaker" },
        Fact::Projected { projection: "trips", result: "written", events: 5, took },
        Fact::Sent { system: "kafka", topic: &INBOX, messages: 6, outcome: Appending::Refused },
        Fact::Sent { system: "palinode", topic: &INBOX, messages: 1, outcome: Appending::Appended },
        Fact::Processed { system: "kafka", topic: &INBOX, took: &[TOOK], error: Some("parked") },
        Fact::Queried { system: "sqlite", query: Query::of("SELECT", "trip"), took, error: Some("outage") },
        Fact::Queried { system: "sqlite", query: Query::batch("trip"), took, error: None },
    ]
}

struct Everything;

impl Levels for Everything {
    fn levels(&self, tell: &mut dyn FnMut(&str, &Level<'_>)) {
        let time = Duration::from_secs(2);
        for level in [
            Level::Shards(4),
            Level::Owned(2),
            Level::Queue(3),
            Level::Pipeline(4),
            Level::Relay(5),
            Level::Held(6),
            Level::Snapshot(7),
            Level::Behind { projection: "trips", shard: 3, events: 8, time },
            Level::Parked { projection: "trips", keys: 9 },
            Level::Rebuilt { projection: "trips", done: 0.5 },
        ] {
            tell("bank", &level);
        }
    }
}

#[test]
fn names_types_units_and_attributes_are_those_of_the_page() {
    let collected = collected();
    let everything: Arc<dyn Levels> = Arc::new(Everything);
    collected.observer.levels(Arc::downgrade(&everything));
    facts().iter().for_each(|fact| collected.observer.fact("bank", fact));
    let now = collected.now();
    let found: BTreeSet<String> = now
        .iter()
        .map(|(name, shown)| {
            let keys: Vec<&str> = shown.keys.iter().map(String::as_str).collect();
            format!("{name} {} {}", shown.what, keys.join(" "))
        })
        .collect();
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted: BTreeSet<String> = NAMES.lines().map(line).filter(|line| !line.is_empty()).collect();
    assert_eq!(found, wanted);
    // And none is made that is not told
    assert_eq!(instruments::ALL.len(), wanted.len());
    // And each has its line on the page
    let page = include_str!("../../../docs/metrics.md");
    for name in now.keys() {
        assert!(page.contains(&format!("\n| `{name}` |")), "{name}");
    }
    // And durations are counted from a tenth of a millisecond to a minute
    for (name, shown) in now.iter().filter(|(_, shown)| shown.what == "histogram s") {
        assert_eq!(shown.buckets, instruments::DURATIONS, "{name}");
    }
    assert_eq!((instruments::DURATIONS[0], instruments::DURATIONS.last()), (0.0001, Some(&60.0)));
    // And what was told is what is shown
    let sum = |name: &str| now[name].sum;
    assert_eq!((sum("palinode.command.duration"), sum("palinode.records.dead")), (1.0, 1.0));
    assert_eq!((sum("projection.events"), sum("projection.lag.time")), (5.0, 2.0));
    assert_eq!((sum("messaging.client.sent.messages"), sum("db.client.operation.duration")), (7.0, 2.0));
}

#[cfg(feature = "otel-bound")]
#[test]
fn bound_instruments_show_what_others_show() {
    let all = [collected(), collected_by(OpenTelemetry::bound_metrics)].map(|collected| {
        for kind in WORDS {
            facts().iter().for_each(|fact| collected.observer.fact("bank", fact));
            collected.observer.fact("shop", &Fact::Measured(&DONE.of(2.0, [("kind", kind.into())])));
        }
        collected.now()
    });
    let [each, bound] = &all;
    assert_eq!((each.len(), each["palinode.commit.events"].sum), (20, 3.0));
    assert_eq!(each, bound);
}

#[test]
fn whoever_is_gone_shows_nothing_any_more() {
    let collected = collected();
    let everything: Arc<dyn Levels> = Arc::new(Everything);
    collected.observer.levels(Arc::downgrade(&everything));
    assert_eq!(collected.now()["palinode.shard.owned"].sum, 2.0);
    drop(everything);
    assert!(!collected.now().contains_key("palinode.shard.owned"));
}

static DONE: Instrument = Instrument::counter("shop.orders", "{order}", "Orders.");
static WAITS: Instrument = Instrument::gauge("shop.waits", "{order}", "Orders that wait.");

struct Shop;

impl Levels for Shop {
    fn instruments(&self) -> &'static [&'static Instrument] {
        static ALL: &[&Instrument] = &[&WAITS];
        ALL
    }

    fn levels(&self, tell: &mut dyn FnMut(&str, &Level<'_>)) {
        tell("shop", &Level::Measured(&WAITS.of(3.0, [("state", "open".into())])));
    }
}

#[test]
fn what_is_above_the_engine_brings_its_own_instruments() {
    let collected = collected();
    let shop: Arc<dyn Levels> = Arc::new(Shop);
    collected.observer.levels(Arc::downgrade(&shop));
    collected.observer.levels(Arc::downgrade(&shop));
    for kind in WORDS {
        collected.observer.fact("shop", &Fact::Measured(&DONE.of(2.0, [("kind", kind.into())])));
    }
    let now = collected.now();
    let orders = &now["shop.orders"];
    assert_eq!((&*orders.what, orders.series, orders.sum), ("counter {order}", 3, 6.0));
    let waits = &now["shop.waits"];
    assert_eq!((&*waits.what, waits.series, waits.sum), ("gauge {order}", 1, 3.0));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_ids_make_no_series_of_their_own() {
    // Given a node that tells a real SDK
    let collected = collected();
    let mut world = World::of_one_shard();
    world.instead = Some(collected.observer.clone());
    let node = world.node("a").await;
    // When a thousand counters are asked, each by an id of its own, and what they told comes a hundred times
    for n in 0..1_000 {
        world.accepted(&clients(&[&node]), &world.add(&format!("c{n}"), 1)).await;
    }
    for _ in 0..100_000 {
        facts().iter().for_each(|fact| collected.observer.fact("bank", fact));
    }
    // Then each metric has as many series as there are words for it
    let now = collected.now();
    assert!(now["palinode.command.duration"].sum >= 101_000.0);
    for (name, shown) in &now {
        assert!(shown.series <= 16, "{name}: {} series", shown.series);
    }
    world.finish(vec![node]).await;
}
