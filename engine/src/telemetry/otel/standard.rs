//! The metrics that OpenTelemetry has names for: messages and questions to databases, by its semantic conventions 1.44.
//! Every attribute has few values: topics and tables of programs, never ids.

use ::opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

use super::{
    super::{Appending, Query},
    instruments as known,
    metrics::{counter, histogram},
    sets::Sets,
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

/// What carries messages, and where to or from.
type Road<'a> = (&'static str, &'a Topic);

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
        (sets, service): (&Sets, &str),
        road: Road<'_>,
        messages: usize,
        outcome: Appending,
    ) {
        let error = (outcome != Appending::Appended).then(|| outcome.word());
        let tell = |of: &[KeyValue]| self.sent.add(messages as u64, of);
        messaging((sets, service), value::SEND, road, error, tell);
    }

    pub(super) fn processed(
        &self,
        (sets, service): (&Sets, &str),
        road: Road<'_>,
        seconds: f64,
        error: Option<&str>,
    ) {
        let tell = |of: &[KeyValue]| self.processing.record(seconds, of);
        messaging((sets, service), value::PROCESS, road, error, tell);
    }

    pub(super) fn queried(
        &self,
        (sets, service): (&Sets, &str),
        system: &'static str,
        query: &Query,
        seconds: f64,
        error: Option<&str>,
    ) {
        let summary = query.summary();
        let mut more = vec![
            (key::DB_SYSTEM, system),
            (key::DB_OPERATION, query.operation()),
            (key::DB_SUMMARY, summary.as_str()),
        ];
        more.extend(query.table().map(|table| (key::DB_COLLECTION, table)));
        more.extend(error.map(|error| (key::ERROR_TYPE, error)));
        sets.with(service, &more, |of| self.queries.record(seconds, of));
    }
}

fn messaging(
    (sets, service): (&Sets, &str),
    operation: &str,
    (system, topic): Road<'_>,
    error: Option<&str>,
    tell: impl FnOnce(&[KeyValue]),
) {
    let topic = topic.to_string();
    let good = [
        (key::MESSAGING_SYSTEM, system),
        (key::MESSAGING_OPERATION, operation),
        (key::MESSAGING_DESTINATION, topic.as_str()),
    ];
    match error {
        None => sets.with(service, &good, tell),
        Some(error) => {
            let [system, operation, topic] = good;
            sets.with(service, &[system, operation, topic, (key::ERROR_TYPE, error)], tell);
        }
    }
}
