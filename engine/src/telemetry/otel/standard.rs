//! The metrics that OpenTelemetry has names for: messages and questions to databases, by its semantic conventions 1.44.
//! Every attribute has few values: topics and tables of programs, never ids.

use std::sync::Arc;

use ::opentelemetry::{
    Key, KeyValue,
    metrics::{Counter, Histogram, Meter},
};

use super::{
    super::{Appending, Query},
    instruments as known,
    metrics::{counter, histogram},
};
use crate::{
    address::Topic,
    trace::names::{key, value},
};

/// The instruments of one meter.
pub(super) struct Standard {
    sent: Counter<u64>,
    processing: Histogram<f64>,
    queries: Histogram<f64>,
}

impl Standard {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            sent: counter(meter, &known::MESSAGES_SENT),
            processing: histogram(meter, &known::MESSAGE_PROCESSING),
            queries: histogram(meter, &known::DATABASE_OPERATION),
        }
    }

    pub(super) fn sent(
        &self,
        service: &str,
        (system, topic): (&'static str, &Topic),
        messages: usize,
        outcome: Appending,
    ) {
        let error = (outcome != Appending::Appended).then(|| outcome.word());
        self.sent.add(messages as u64, &messaging(service, value::SEND, system, topic, error));
    }

    pub(super) fn processed(
        &self,
        service: &str,
        (system, topic): (&'static str, &Topic),
        seconds: f64,
        error: Option<&'static str>,
    ) {
        self.processing.record(seconds, &messaging(service, value::PROCESS, system, topic, error));
    }

    pub(super) fn queried(
        &self,
        service: &str,
        system: &'static str,
        query: &Query,
        seconds: f64,
        error: Option<&'static str>,
    ) {
        let mut of = Vec::with_capacity(6);
        of.extend([
            text("service", Arc::from(service)),
            word(key::DB_SYSTEM, system),
            word(key::DB_OPERATION, query.operation()),
            text(key::DB_SUMMARY, query.summary().into()),
        ]);
        of.extend(query.table().map(|table| word(key::DB_COLLECTION, table)));
        of.extend(error.map(|error| word(key::ERROR_TYPE, error)));
        self.queries.record(seconds, &of);
    }
}

fn messaging(
    service: &str,
    operation: &'static str,
    system: &'static str,
    topic: &Topic,
    error: Option<&'static str>,
) -> Vec<KeyValue> {
    let mut of = Vec::with_capacity(5);
    of.extend([
        text("service", Arc::from(service)),
        word(key::MESSAGING_SYSTEM, system),
        word(key::MESSAGING_OPERATION, operation),
        text(key::MESSAGING_DESTINATION, topic.to_string().into()),
    ]);
    of.extend(error.map(|error| word(key::ERROR_TYPE, error)));
    of
}

fn word(key: &'static str, word: &'static str) -> KeyValue {
    KeyValue::new(Key::from_static_str(key), word)
}

fn text(key: &'static str, text: Arc<str>) -> KeyValue {
    KeyValue::new(Key::from_static_str(key), text)
}
