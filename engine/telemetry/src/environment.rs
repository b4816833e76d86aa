//! What the standard variables of OpenTelemetry say, checked: the exporters believe what is written here, and whatever is
//! wrong is said, all of it at once, instead of being replaced by a default. Pure: variables come in as a function.

use std::{fmt::Display, str::FromStr, time::Duration};

use opentelemetry_sdk::trace::Sampler;

use crate::SetupError;

/// Spans that wait to be sent, and that are lost when one more comes: some seconds of a busy service, some 30 MB.
const QUEUE: usize = 32_768;
const BATCH: usize = 2_048;
const DELAY: Duration = Duration::from_secs(1);
/// How long a collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What holds.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// The name of what belongs to no service of a log, if it was given one.
    pub(crate) name: Option<String>,
    /// Where spans go, if they go anywhere.
    pub(crate) spans: Option<Spans>,
    /// Whether anything at all is observed.
    pub(crate) disabled: bool,
}

/// How spans are sent.
#[derive(Debug, Clone)]
pub(crate) struct Spans {
    /// The whole URL.
    pub(crate) endpoint: String,
    pub(crate) timeout: Duration,
    /// Of the program's own spans.
    pub(crate) sampler: Sampler,
    /// Which share of new traces the sampler keeps.
    pub(crate) ratio: f64,
    pub(crate) batch: Batch,
}

/// How spans wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) queue: usize,
    pub(crate) size: usize,
    pub(crate) delay: Duration,
}

impl Environment {
    /// # Errors
    /// Every variable that is not understood.
    pub(crate) fn read(of: impl Fn(&str) -> Option<String>) -> Result<Self, SetupError> {
        // An empty variable is one that is not set.
        let mut given = Given { of: &|name| of(name).filter(|value| !value.is_empty()), wrong: Vec::new() };
        let environment = Self {
            name: given.text("OTEL_SERVICE_NAME"),
            disabled: given.choice("OTEL_SDK_DISABLED", &[("false", false), ("true", true)]).unwrap_or(false),
            spans: Spans::read(&mut given),
        };
        if given.wrong.is_empty() { Ok(environment) } else { Err(SetupError::Environment(given.wrong)) }
    }
}

impl Spans {
    fn read(given: &mut Given<'_>) -> Option<Self> {
        let wanted = given.choice("OTEL_TRACES_EXPORTER", &[("otlp", true), ("none", false)]).unwrap_or(true);
        let of_spans = given.url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let of_all = given.url("OTEL_EXPORTER_OTLP_ENDPOINT");
        let endpoint =
            of_spans.or_else(|| of_all.map(|base| format!("{}/v1/traces", base.trim_end_matches('/'))));
        for protocol in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            given.choice(protocol, &[("http/protobuf", ())]);
        }
        let timeout = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]
            .map(|name| given.number::<u64>(name, 1))
            .into_iter()
            .flatten()
            .next();
        let (sampler, ratio) = given.sampler();
        let batch = Batch::read(given);
        let timeout = timeout.map_or(TIMEOUT, Duration::from_millis);
        endpoint.filter(|_| wanted).map(|endpoint| Self { endpoint, timeout, sampler, ratio, batch })
    }
}

impl Batch {
    fn read(given: &mut Given<'_>) -> Self {
        let queue = given.number("OTEL_BSP_MAX_QUEUE_SIZE", 1).unwrap_or(QUEUE);
        let size = given.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1);
        if let Some(size) = size.filter(|size| *size > queue) {
            given.wrong("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", size, &format!("at most the queue's {queue}"));
        }
        let delay = given.number("OTEL_BSP_SCHEDULE_DELAY", 1).map_or(DELAY, Duration::from_millis);
        Self { queue, size: size.unwrap_or(BATCH).min(queue), delay }
    }
}

/// The variables, and what is wrong with them.
struct Given<'a> {
    of: &'a dyn Fn(&str) -> Option<String>,
    wrong: Vec<String>,
}

impl Given<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.of)(name)
    }

    fn wrong(&mut self, name: &str, value: impl Display, allowed: &str) {
        self.wrong.push(format!("{name} is {value:?}, allowed is {allowed}", value = value.to_string()));
    }

    fn choice<T: Copy>(&mut self, name: &str, all: &[(&str, T)]) -> Option<T> {
        let value = self.text(name)?;
        let found =
            all.iter().find(|(word, _)| value.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
            self.wrong(name, value, &words.join(", "));
        }
        found
    }

    fn number<T: FromStr + PartialOrd + Display>(&mut self, name: &str, least: T) -> Option<T> {
        let value = self.text(name)?;
        let number = value.parse().ok().filter(|number| *number >= least);
        if number.is_none() {
            self.wrong(name, value, &format!("a whole number from {least} on"));
        }
        number
    }

    /// With its scheme, since exporters guess differently what is meant without one.
    fn url(&mut self, name: &str) -> Option<String> {
        let value = self.text(name)?;
        let host =
            |scheme| value.strip_prefix(scheme).filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
        match (host("http://"), host("https://")) {
            (Some(_), _) => return Some(value),
            (None, Some(_)) if cfg!(feature = "tls") => return Some(value),
            (None, Some(_)) => {
                self.wrong(name, value, "http://host:port: this program is built without `tls`")
            }
            (None, None) => self.wrong(name, value, "http://host:port or https://host:port"),
        }
        None
    }

    /// The sampler, and the share of new traces that it keeps.
    fn sampler(&mut self) -> (Sampler, f64) {
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        const ALL: [(&str, (bool, Rate)); 6] = [
            ("always_on", (false, Rate::All)),
            ("always_off", (false, Rate::None)),
            ("traceidratio", (false, Rate::Part)),
            ("parentbased_always_on", (true, Rate::All)),
            ("parentbased_always_off", (true, Rate::None)),
            ("parentbased_traceidratio", (true, Rate::Part)),
        ];
        let (by_parent, rate) = self.choice("OTEL_TRACES_SAMPLER", &ALL).unwrap_or((true, Rate::All));
        let argument = self.text(ARGUMENT);
        let part = argument.as_ref().map_or(Ok(1.0), |text| text.parse::<f64>());
        let (root, ratio) = match (rate, part) {
            (Rate::All, _) => (Sampler::AlwaysOn, 1.0),
            (Rate::None, _) => (Sampler::AlwaysOff, 0.0),
            (Rate::Part, Ok(part)) if (0.0..=1.0).contains(&part) => (Sampler::TraceIdRatioBased(part), part),
            (Rate::Part, _) => {
                self.wrong(ARGUMENT, argument.unwrap_or_default(), "a number from 0 to 1");
                (Sampler::AlwaysOff, 0.0)
            }
        };
        (if by_parent { Sampler::ParentBased(Box::new(root)) } else { root }, ratio)
    }
}

#[derive(Clone, Copy)]
enum Rate {
    All,
    None,
    Part,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<Environment, SetupError> {
        Environment::read(|name| {
            given.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn spans(given: &[(&str, &str)]) -> Spans {
        read(given).unwrap().spans.unwrap()
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/");

    #[test]
    fn spans_go_where_somebody_says() {
        assert!(read(&[]).unwrap().spans.is_none());
        assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).unwrap().spans.is_none());
        assert!(read(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]).unwrap().spans.is_none());
        assert_eq!(spans(&[ENDPOINT]).endpoint, "http://127.0.0.1:4318/v1/traces");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/spans");
        assert_eq!(spans(&[ENDPOINT, own]).endpoint, "http://collector/spans");
    }

    #[test]
    fn what_nobody_says_holds_for_a_busy_service() {
        let of = spans(&[ENDPOINT]);
        assert_eq!(of.batch, Batch { queue: QUEUE, size: BATCH, delay: DELAY });
        assert_eq!(format!("{:?}", of.sampler), "ParentBased(AlwaysOn)");
        let small = spans(&[ENDPOINT, ("OTEL_BSP_MAX_QUEUE_SIZE", "100"), ("OTEL_BSP_SCHEDULE_DELAY", "50")]);
        assert_eq!(small.batch, Batch { queue: 100, size: 100, delay: Duration::from_millis(50) });
        let shared = ("OTEL_EXPORTER_OTLP_TIMEOUT", "7");
        assert_eq!(spans(&[ENDPOINT, shared]).timeout, Duration::from_millis(7));
        let own = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "3");
        assert_eq!(spans(&[ENDPOINT, shared, own]).timeout, Duration::from_millis(3));
    }

    #[test]
    fn samplers_are_those_of_the_specification() {
        let sampler = |name, arg| {
            let given = [ENDPOINT, ("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", arg)];
            let spans = spans(&given);
            (format!("{:?}", spans.sampler), spans.ratio)
        };
        assert_eq!(sampler("always_off", ""), ("AlwaysOff".into(), 0.0));
        assert_eq!(sampler("traceidratio", "0.25"), ("TraceIdRatioBased(0.25)".into(), 0.25));
        let all = ("ParentBased(TraceIdRatioBased(1.0))".into(), 1.0);
        assert_eq!(sampler("parentbased_traceidratio", ""), all);
    }

    #[test]
    fn what_is_not_understood_is_refused_all_at_once() {
        for (name, value, why) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318", "http://host:port"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "http://host:port"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "otlp, none"),
            ("OTEL_SDK_DISABLED", "yes", "false, true"),
            ("OTEL_TRACES_SAMPLER", "some", "always_on"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "from 1 on"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1000000", "at most the queue's 32768"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "a whole number"),
        ] {
            let said = read(&[(name, value)]).unwrap_err().to_string();
            assert!(said.contains(name) && said.contains(value) && said.contains(why), "{said}");
        }
        let part = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
        assert!(read(&part).unwrap_err().to_string().contains("from 0 to 1"));
        let two = read(&[("OTEL_SDK_DISABLED", "x"), ("OTEL_TRACES_EXPORTER", "y")]).unwrap_err();
        assert_eq!(two.to_string().matches("allowed is").count(), 2, "{two}");
        #[cfg(not(feature = "tls"))]
        assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c")]).is_err());
    }
}
