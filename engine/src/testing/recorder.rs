//! An observer that keeps everything it is told, for tests. Facts and levels become short sentences: what metrics are
//! counted from can then be compared with what is expected, and durations apart from it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use crate::telemetry::{Fact, Level, Levels, Measured, Observe, Span, SpanContext};

/// Keeps spans and facts, and asks for levels.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir()?;
/// use std::{sync::Arc, time::Duration};
/// use palinode::{Node, Service, testing::Recorder};
///
/// let recorder = Arc::new(Recorder::default());
/// let bank = Node::embedded(folder.path()).partitions(1).service(Service::new("bank"));
/// let node = bank.observe(recorder.clone()).start().await?;
/// assert_eq!(recorder.level("bank", "shards"), Some(1.0));
/// node.stop(Duration::from_secs(5)).await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Default)]
pub struct Recorder {
    spans: Mutex<Vec<(Arc<str>, Span)>>,
    facts: Mutex<Vec<Told>>,
    sources: Mutex<Vec<Weak<dyn Levels>>>,
    ratio: Option<f64>,
    current: Option<SpanContext>,
    segment_after: Option<Duration>,
}

/// A fact as it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// By which service.
    pub service: Arc<str>,
    /// In words: `answered counter accepted`.
    pub what: String,
    /// How long it took, or how much it was.
    pub value: f64,
}

impl Recorder {
    /// One that wants this share of new traces.
    #[must_use]
    pub fn with_ratio(ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..Self::default() }
    }

    /// One whose callers run inside this span.
    #[must_use]
    pub fn inside(current: SpanContext) -> Self {
        Self { current: Some(current), ..Self::default() }
    }

    /// One that cuts the trace of whatever did nothing for longer than this.
    #[must_use]
    pub fn cutting_after(idle: Duration) -> Self {
        Self { segment_after: Some(idle), ..Self::default() }
    }

    /// The spans so far, with their services.
    pub fn spans(&self) -> Vec<(Arc<str>, Span)> {
        lock(&self.spans).clone()
    }

    /// All facts so far.
    pub fn told(&self) -> Vec<Told> {
        lock(&self.facts).clone()
    }

    /// How often a service told this fact.
    pub fn count(&self, service: &str, what: &str) -> usize {
        lock(&self.facts).iter().filter(|told| *told.service == *service && told.what == what).count()
    }

    /// The values of a service's facts of these words.
    pub fn values(&self, service: &str, what: &str) -> Vec<f64> {
        let facts = lock(&self.facts);
        facts.iter().filter(|t| *t.service == *service && t.what == what).map(|t| t.value).collect()
    }

    /// All levels at this moment: service, words and value.
    pub fn levels_now(&self) -> Vec<(String, String, f64)> {
        let sources: Vec<Arc<dyn Levels>> = lock(&self.sources).iter().filter_map(Weak::upgrade).collect();
        let mut all = Vec::new();
        for source in sources {
            source.levels(&mut |service, level| {
                let mut tell = |what: String, value| all.push((service.to_owned(), what, value));
                levels(level, &mut tell);
            });
        }
        all
    }

    /// One level of a service, over all nodes that tell this observer; `None` when nobody has it.
    pub fn level(&self, service: &str, what: &str) -> Option<f64> {
        let all = self.levels_now();
        let these =
            all.iter().filter(|(of, named, _)| of == service && named == what).map(|(.., value)| value);
        these.copied().reduce(|sum, value| sum + value)
    }
}

impl Observe for Recorder {
    fn span(&self, service: &str, span: Span) {
        lock(&self.spans).push((service.into(), span));
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.ratio.unwrap_or(1.0))
    }

    fn segment_after(&self) -> Option<Duration> {
        self.segment_after
    }

    fn current(&self) -> Option<SpanContext> {
        self.current
    }

    fn fact(&self, service: &str, fact: &Fact<'_>) {
        let mut told = lock(&self.facts);
        words(fact, &mut |what, value| told.push(Told { service: service.into(), what, value }));
    }

    fn levels(&self, of: Weak<dyn Levels>) {
        lock(&self.sources).push(of);
    }
}

fn words(fact: &Fact<'_>, tell: &mut dyn FnMut(String, f64)) {
    let seconds = |took: &Duration| took.as_secs_f64();
    let number = |of: usize| f64::from(u32::try_from(of).unwrap_or(u32::MAX));
    match *fact {
        Fact::Answered { kind, answer, took } => {
            tell(format!("answered {kind} {}", answer.word()), seconds(&took));
        }
        Fact::Waited(all) => all.iter().for_each(|waited| tell("waited".into(), seconds(waited))),
        Fact::Appended(outcome) => tell(format!("append {}", outcome.word()), 1.0),
        Fact::Effective(all) => all.iter().for_each(|commit| tell("effective".into(), seconds(&commit.took))),
        Fact::Dead(why) => tell(format!("dead {}", why.word()), 1.0),
        Fact::GapRead => tell("gap read".into(), 1.0),
        Fact::Claimed { counts } => tell(format!("claim {}", if counts { "counted" } else { "dead" }), 1.0),
        Fact::TakenOver { phase, took } => tell(format!("taken over: {}", phase.word()), seconds(&took)),
        Fact::Fired(late) => tell("fired".into(), seconds(&late)),
        Fact::Violated { invariant } => tell(format!("violated {invariant}"), 1.0),
        Fact::Ran { activity, outcome, took } => tell(format!("ran {activity} {outcome}"), seconds(&took)),
        Fact::NotRun { activity, reason } => tell(format!("not run {activity} {reason}"), 1.0),
        Fact::Projected { projection, result, events, .. } => {
            tell(format!("projected {projection} {result}"), number(events));
        }
        Fact::Sent { system, topic, messages, outcome } => {
            tell(format!("sent {system} {topic} {}", outcome.word()), number(messages));
        }
        Fact::Processed { system, topic, took, error } => {
            let what = format!("processed {system} {topic}{}", because(error));
            took.iter().for_each(|took| tell(what.clone(), seconds(took)));
        }
        Fact::Queried { system, query, took, error } => {
            tell(format!("queried {system} {}{}", query.summary(), because(error)), seconds(&took));
        }
        Fact::Measured(measured) => tell(named(measured), measured.value),
    }
}

fn because(error: Option<&str>) -> String {
    error.map(|error| format!(" {error}")).unwrap_or_default()
}

fn named(measured: &Measured) -> String {
    let series = &measured.series;
    let words = series.attributes().iter().map(|(key, value)| format!(" {key}={value}"));
    std::iter::once(series.instrument().name.to_owned()).chain(words).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a level is shown")]
fn levels(level: &Level<'_>, tell: &mut dyn FnMut(String, f64)) {
    match *level {
        Level::Shards(n) => tell("shards".into(), n as f64),
        Level::Owned(n) => tell("owned".into(), n as f64),
        Level::Queue(n) => tell("queue".into(), n as f64),
        Level::Pipeline(n) => tell("pipeline".into(), n as f64),
        Level::Relay(n) => tell("relay".into(), n as f64),
        Level::Held(n) => tell("held".into(), n as f64),
        Level::Snapshot(n) => tell("snapshot".into(), n as f64),
        Level::Behind { projection, shard, events, time } => {
            tell(format!("events behind: {projection}/{shard}"), events as f64);
            tell(format!("time behind: {projection}/{shard}"), time.as_secs_f64());
        }
        Level::Parked { projection, keys } => tell(format!("parked: {projection}"), keys as f64),
        Level::Rebuilt { projection, done } => tell(format!("built: {projection}"), done),
        Level::Measured(measured) => tell(named(measured), measured.value),
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
