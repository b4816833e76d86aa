//! Telemetry of programs on `palinode`, ready to turn on: spans to OTLP, metrics for Prometheus, logs in JSON. The engine
//! knows the API of OpenTelemetry only; SDK, exporters and where things go are here.
//!
//! ```
//! use std::time::Duration;
//! use palinode_telemetry::Setup;
//!
//! let telemetry = Setup::new("shop")
//!     .traces()                               // where OTEL_EXPORTER_OTLP_ENDPOINT says; nowhere when it says nothing
//!     .metrics(([127, 0, 0, 1], 0).into())    // GET /metrics
//!     .start()?;
//! # let folder = tempfile::tempdir()?;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let mut node = palinode::Node::embedded(folder.path());
//! if let Some(observer) = telemetry.observer() {
//!     node = node.observe(observer);
//! }
//! let node = node.start().await?;
//! // ..
//! node.stop(Duration::from_secs(20)).await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! // Last of all: what the node told while it stopped leaves as well.
//! let all_sent = telemetry.drain(Duration::from_secs(5));
//! # assert!(all_sent);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Variables
//!
//! Those of OpenTelemetry, with its meaning. What is not understood is an error, not a default.
//!
//! | variable | says | when nothing is said |
//! |---|---|---|
//! | `OTEL_SDK_DISABLED` | `true`: nothing is observed | `false` |
//! | `OTEL_SERVICE_NAME` | the name of what belongs to no service of a log | the name given to [`Setup::new`] |
//! | `OTEL_RESOURCE_ATTRIBUTES` | more about the process, `key=value,key=value` | nothing |
//! | `OTEL_TRACES_EXPORTER` | `otlp` or `none` | `otlp` |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | `http://host:4318`, with its scheme; `https` with feature `tls` | spans go nowhere |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | the whole URL for spans | the one before and `/v1/traces` |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` | that |
//! | `OTEL_EXPORTER_OTLP_HEADERS` | headers of requests, `key=value,key=value` | none |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` | how many milliseconds a request may take | 10000 |
//! | `OTEL_TRACES_SAMPLER`, `.._ARG` | which new traces are kept; a saga keeps what was decided at its start | `parentbased_always_on` |
//! | `OTEL_BSP_MAX_QUEUE_SIZE` | spans of a service that may wait; one more is lost | 32768 |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BSP_SCHEDULE_DELAY` | spans in a request, milliseconds between two | 2048, 1000 |
//!
//! # What it costs when nobody takes it
//!
//! Nothing but memory up to the queue: no call of the engine waits for a collector. What does not fit is lost and counted
//! in a warning.

mod environment;
mod ids;
mod logs;
mod observer;
mod scrape;
mod tracers;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use logs::Style;
use opentelemetry::{
    global::BoxedTracer,
    trace::{TracerProvider as _, noop::NoopTracer},
};
use palinode::telemetry::Observe;

use environment::Environment;
use scrape::Scrape;
use tracers::Tracers;

/// Who made a span, beside the service: the instrumentation scope.
const SCOPE: &str = "palinode";

/// What is to be turned on. Nothing is by itself.
#[derive(Debug, Clone)]
pub struct Setup {
    name: String,
    traces: bool,
    segment_after: Option<Duration>,
    metrics: Option<SocketAddr>,
    logs: Option<(Style, tracing::Level)>,
}

/// Why telemetry cannot be turned on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Variables that are not understood.
    #[error("{}", .0.join("; "))]
    Environment(Vec<String>),
    /// An exporter cannot be made of what was said.
    #[error("spans and metrics cannot be exported: {0}")]
    Exporter(String),
    /// Metrics cannot be served.
    #[error("metrics cannot be served at {address}: {why}")]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// Why not.
        why: std::io::Error,
    },
    /// Somebody else in this process logs.
    #[error("logs are set up already")]
    LogsAreTaken,
}

/// Telemetry that is turned on. [`Telemetry::drain`] it after everything that tells something has stopped.
pub struct Telemetry {
    name: String,
    tracers: Option<Arc<Tracers>>,
    scrape: Option<Scrape>,
    observer: Option<Arc<dyn Observe>>,
}

impl Setup {
    /// For a program of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), traces: false, segment_after: None, metrics: None, logs: None }
    }

    /// Sends spans by OTLP, if a variable says where to.
    #[must_use]
    pub fn traces(mut self) -> Self {
        self.traces = true;
        self
    }

    /// Cuts the trace of a saga that did nothing for longer than this: what it does then is a trace of its own, linked to the
    /// first one. Not at all when nothing is said; a quarter of an hour suits stores that expect traces to be short.
    #[must_use]
    pub fn segment_after(mut self, idle: Duration) -> Self {
        self.segment_after = Some(idle);
        self
    }

    /// Serves metrics at this address for a Prometheus; port 0 takes any that is free. It asks nobody who they are.
    #[must_use]
    pub fn metrics(mut self, at: SocketAddr) -> Self {
        self.metrics = Some(at);
        self
    }

    /// Writes logs to stderr, from this level on when `RUST_LOG` says nothing.
    #[must_use]
    pub fn logs(mut self, style: Style, from: tracing::Level) -> Self {
        self.logs = Some((style, from));
        self
    }

    /// Turns on what was asked for, by the variables of this process.
    ///
    /// # Errors
    /// When a variable is not understood, or an address cannot be used.
    pub fn start(self) -> Result<Telemetry, SetupError> {
        self.start_with(|name| std::env::var(name).ok())
    }

    /// Turns it on by other variables.
    ///
    /// # Errors
    /// As [`Setup::start`].
    ///
    /// ```
    /// let refused = palinode_telemetry::Setup::new("shop").traces().start_with(|name| {
    ///     (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "127.0.0.1:4318".to_owned())
    /// });
    /// assert_eq!(
    ///     refused.err().ok_or("it cannot be refused")?.to_string(),
    ///     "OTEL_EXPORTER_OTLP_ENDPOINT is \"127.0.0.1:4318\", allowed is http://host:port or https://host:port"
    /// );
    /// # Ok::<(), &'static str>(())
    /// ```
    pub fn start_with(self, variable: impl Fn(&str) -> Option<String>) -> Result<Telemetry, SetupError> {
        let Environment { name, spans, disabled } = Environment::read(variable)?;
        if let Some((style, from)) = self.logs {
            logs::start(style, from.into())?;
        }
        let name = name.unwrap_or(self.name);
        let tracers = spans.filter(|_| self.traces && !disabled).map(Tracers::start).transpose()?;
        let scrape = self.metrics.filter(|_| !disabled);
        let scrape = scrape.map(|address| Scrape::start(&name, address)).transpose()?;
        let observer = observer::of(tracers.as_ref(), scrape.as_ref(), self.segment_after);
        Ok(Telemetry { name, tracers, scrape, observer })
    }
}

impl Telemetry {
    /// Who is to be told what happens in nodes and clients; nobody when there is nothing to be told.
    #[must_use]
    pub fn observer(&self) -> Option<Arc<dyn Observe>> {
        self.observer.clone()
    }

    /// For spans of the program itself, which belong to no service of a log. They go nowhere when traces are off.
    #[must_use]
    pub fn tracer(&self) -> BoxedTracer {
        match &self.tracers {
            Some(tracers) => BoxedTracer::new(Box::new(tracers.of_program(&self.name).tracer(SCOPE))),
            None => BoxedTracer::new(Box::new(NoopTracer::new())),
        }
    }

    /// Whether spans are sent anywhere.
    #[must_use]
    pub fn sends_spans(&self) -> bool {
        self.tracers.is_some()
    }

    /// Where metrics are served.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.scrape.as_ref().map(Scrape::address)
    }

    /// Sends what still waits and ends. To be called last, after nodes, clients and servers have stopped, and not on a
    /// thread of a runtime that others need: it waits. True when everything left within the budget.
    pub fn drain(mut self, budget: Duration) -> bool {
        self.observer = None;
        self.scrape = None;
        self.tracers.take().is_none_or(|tracers| tracers.drain(budget))
    }
}

/// Whoever forgets to drain has little time.
impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(tracers) = self.tracers.take() {
            tracers.drain(Duration::from_secs(1));
        }
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry")
            .field("name", &self.name)
            .field("spans", &self.sends_spans())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}
