//! What librdkafka tells a client beside its answers: log lines and errors, passed on to `tracing`. Both are for people;
//! nothing is decided by them.

use std::sync::{Mutex, PoisonError};

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
    types::RDKafkaErrorCode as Code,
};

/// The context of a client that has nothing else to say.
#[derive(Debug)]
pub(super) struct Told {
    client: &'static str,
    last: Mutex<Option<String>>,
}

impl Told {
    /// To this client.
    pub(super) fn to(client: &'static str) -> Self {
        Self { client, last: Mutex::default() }
    }

    /// Why it last failed to reach anybody.
    pub(super) fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A line of librdkafka's own log.
pub(super) fn line(client: &str, level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        // Properties of consumers that a producer takes as well.
        _ if facility == "CONFWARN" => tracing::debug!(client, "{facility}: {text}"),
        // A broker that has just started; it is asked again.
        _ if facility == "GETPID" && text.contains("load in progress") => {
            tracing::debug!(client, "{facility}: {text}");
        }
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
        // That all brokers are down follows what happened to each of them.
        if error.rdkafka_error_code() != Some(Code::AllBrokersDown) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Told {}
