//! What the program tells of itself: spans where the variables of OpenTelemetry say, metrics where a flag says, logs; and
//! where a person sees the trace of a trip. Knows neither services nor commands.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use clap::Args;
use opentelemetry::global::BoxedTracer;
use palinode::telemetry::Observe;
use palinode_telemetry::{Setup, Style, Telemetry};

/// The name of what belongs to no service of the log.
pub(crate) const PROGRAM: &str = "booking";
/// How long what was told last may take to leave.
const DRAIN: Duration = Duration::from_secs(5);

/// What is told, and where it is seen.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TelemetryArgs {
    /// Serve metrics for a Prometheus, under /metrics
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// Where the pages of Jaeger are, to say links to traces [default: the variable PALINODE_JAEGER]
    #[arg(long, global = true, value_name = "http://HOST:PORT")]
    jaeger: Option<String>,
    /// Cut the trace of a trip that rested for longer than this; a quarter of an hour is 900 [default: never]
    #[arg(long, global = true, value_name = "SECONDS")]
    trace_segment: Option<u64>,
}

/// Who is told what happens, and where traces are looked at. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    observer: Option<Arc<dyn Observe>>,
    tracer: Option<Arc<BoxedTracer>>,
    jaeger: Option<Arc<str>>,
}

impl TelemetryArgs {
    /// Turns it on; `serves`: the process stays, and its logs are for programs where no person looks.
    ///
    /// # Errors
    /// When a variable is not understood, or the address cannot be used.
    pub(crate) fn start(&self, serves: bool) -> anyhow::Result<(Telemetry, Seen)> {
        let (style, level) =
            if serves { (Style::Auto, tracing::Level::INFO) } else { (Style::Text, tracing::Level::WARN) };
        let mut setup = Setup::new(PROGRAM).traces().logs(style, level);
        if let Some(at) = self.metrics {
            setup = setup.metrics(at);
        }
        if let Some(seconds) = self.trace_segment {
            setup = setup.segment_after(Duration::from_secs(seconds));
        }
        let telemetry = setup.start()?;
        if let Some(at) = telemetry.metrics() {
            tracing::info!("metrics at http://{at}/metrics");
        }
        let variable = || std::env::var("PALINODE_JAEGER").ok().filter(|address| !address.is_empty());
        let jaeger = self.jaeger.clone().or_else(variable);
        let jaeger = jaeger.map(|address| address.trim_end_matches('/').into());
        let tracer = telemetry.sends_spans().then(|| Arc::new(telemetry.tracer()));
        let seen = Seen { observer: telemetry.observer(), tracer, jaeger };
        Ok((telemetry, seen))
    }
}

impl Seen {
    /// Who is told.
    pub(crate) fn observer(&self) -> Option<Arc<dyn Observe>> {
        self.observer.clone()
    }

    /// For spans of the program itself, when anybody wants them.
    pub(crate) fn tracer(&self) -> Option<&BoxedTracer> {
        self.tracer.as_deref()
    }

    /// Where a person sees this trace; nothing when nobody said where traces are looked at.
    pub(crate) fn link(&self, trace: impl fmt::Display) -> Option<String> {
        self.jaeger.as_ref().map(|jaeger| format!("{jaeger}/trace/{trace}"))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("observed", &self.observer.is_some())
            .field("jaeger", &self.jaeger)
            .finish()
    }
}

/// Sends what was told last. After everything else has stopped, and no runtime waits for this thread.
pub(crate) fn drain(telemetry: Telemetry) {
    if !telemetry.drain(DRAIN) {
        tracing::warn!("some of the last spans were not sent");
    }
}
