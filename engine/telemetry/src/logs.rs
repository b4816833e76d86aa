//! Logs: lines for people on a terminal, a JSON object a line for everybody else, with the ids of the trace that a line
//! belongs to; a panic is such a line too. `RUST_LOG` says what is logged.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fmt,
    io::IsTerminal,
    panic::{self, PanicHookInfo},
};

use opentelemetry::{Context, trace::TraceContextExt};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    filter::LevelFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Json, JsonFields, Writer},
    },
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::SetupError;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Style {
    /// For people when stderr is a terminal, as JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Writes what is logged to stderr from now on; from this level on when `RUST_LOG` says nothing.
pub(crate) fn start(style: Style, level: LevelFilter) -> Result<(), SetupError> {
    let terminal = std::io::stderr().is_terminal();
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = style == Style::Json || (style == Style::Auto && !terminal);
    if json {
        panic::set_hook(Box::new(panicked));
    }
    let set = if json {
        lines.fmt_fields(JsonFields::new()).event_format(WithIds::default()).finish().try_init()
    } else {
        lines.with_ansi(terminal).finish().try_init()
    };
    set.map_err(|_| SetupError::LogsAreTaken)
}

/// Logs a panic, wherever it is caught, by the conventions of OpenTelemetry for exceptions: text between the objects could be
/// read by no program. Where the code ran for an entity, the engine says which in a line of its own.
fn panicked(panic: &PanicHookInfo<'_>) {
    let (trace, thread) = (Backtrace::capture(), std::thread::current());
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    tracing::error!(
        "exception.type" = "panic",
        "exception.message" = panic.payload_as_str().unwrap_or("without a message"),
        "exception.stacktrace" = trace,
        at = panic.location().map(tracing::field::display),
        thread = thread.name(),
        "panicked"
    );
}

/// JSON with `trace_id` and `span_id`, where an event happens inside a span of OpenTelemetry and does not say them itself.
struct WithIds(Format<Json>);

impl Default for WithIds {
    fn default() -> Self {
        Self(Format::default().json().flatten_event(true).with_span_list(false))
    }
}

impl<S, N> FormatEvent<S, N> for WithIds
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let current = Context::current();
        let span = current.span().span_context().clone();
        let says_itself = event.metadata().fields().field("trace_id").is_some();
        if !span.is_valid() || says_itself {
            return self.0.format_event(cx, to, event);
        }
        let mut line = String::new();
        self.0.format_event(cx, Writer::new(&mut line), event)?;
        let object = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        writeln!(to, r#"{object},"trace_id":"{}","span_id":"{}"}}"#, span.trace_id(), span.span_id())
    }
}

#[cfg(test)]
mod tests;
