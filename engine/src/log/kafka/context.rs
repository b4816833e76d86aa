//! What librdkafka tells a client beside its answers: log lines and errors, passed on to `tracing`. Both are for people;
//! nothing is decided by them.

use rdkafka::{ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError};

/// The context of a client that has nothing else to say.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) client: &'static str,
}

/// A line of librdkafka's own log.
pub(super) fn line(client: &str, level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        // Properties of consumers that a producer takes as well.
        _ if facility == "CONFWARN" => tracing::debug!(client, "{facility}: {text}"),
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(client, "{facility}: {text}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::warn!(client, "{facility}: {text}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(client, "{facility}: {text}"),
        RDKafkaLogLevel::Debug => tracing::debug!(client, "{facility}: {text}"),
    }
}

/// An error of the whole client. Lost connections heal by themselves.
pub(super) fn trouble(client: &str, error: &KafkaError, reason: &str) {
    tracing::warn!(client, "{}: {reason}", super::error::words(error));
}

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        line(self.client, level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        trouble(self.client, &error, reason);
    }
}

impl ConsumerContext for Told {}
