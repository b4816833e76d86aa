//! Logs: lines for people on a terminal, a JSON object a line for everybody else, with the ids of the trace that a line
//! belongs to. `RUST_LOG` says what is logged.

use std::{fmt, io::IsTerminal};

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
    let set = if json {
        lines.fmt_fields(JsonFields::new()).event_format(WithIds::default()).finish().try_init()
    } else {
        lines.with_ansi(terminal).finish().try_init()
    };
    set.map_err(|_| SetupError::LogsAreTaken)
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
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    use serde_json::Value;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is written, a value a line.
    fn logged(what: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let lines = tracing_subscriber::fmt()
            .with_writer(kept.clone())
            .fmt_fields(JsonFields::new())
            .event_format(WithIds::default())
            .finish();
        tracing::subscriber::with_default(lines, what);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_an_object_and_knows_its_trace() {
        let span = SpanContext::new(
            TraceId::from(7),
            SpanId::from(9),
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        );
        let all = logged(|| {
            tracing::info!(shard = 3, "no \"trace\"\n}}");
            let _current = Context::new().with_remote_span_context(span).attach();
            tracing::warn!(shard = 4, "in a trace");
            tracing::warn!(trace_id = "own", "says it itself");
        });
        assert_eq!((&all[0]["shard"], &all[0]["message"]), (&3.into(), &"no \"trace\"\n}".into()));
        assert!(all[0].get("trace_id").is_none());
        assert_eq!(all[1]["trace_id"], format!("{:032x}", 7));
        assert_eq!(all[1]["span_id"], format!("{:016x}", 9));
        assert_eq!((&all[2]["trace_id"], all[2].get("span_id")), (&"own".into(), None));
    }
}
