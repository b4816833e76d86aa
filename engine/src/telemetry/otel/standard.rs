//! The metrics that OpenTelemetry has names for: messages and questions to databases, by its semantic conventions 1.44.
//! Every attribute has few values: topics and tables of programs, never ids.

use std::time::Duration;

use ::opentelemetry::metrics::Meter;

use super::{
    super::{Appending, Query},
    family::{Counts, Durations, Family, Instrument, Texts, attributes, counter, histogram},
    instruments as known,
    series::Binding,
};
use crate::{
    address::Topic,
    trace::names::{key, value},
};

/// The instruments of one meter.
pub(super) struct Standard {
    sent: Counts,
    processing: Durations,
    queries: Durations,
}

/// What carries messages, and where to or from.
type Road<'a> = (&'static str, &'a Topic);

/// In place of a text that there is not.
const NONE: &str = "";

impl Standard {
    pub(super) fn new(meter: &Meter, binding: Binding) -> Self {
        let durations = |of| Family::new(histogram(meter, of), binding);
        Self {
            sent: Family::new(counter(meter, &known::MESSAGES_SENT), binding),
            processing: durations(&known::MESSAGE_PROCESSING),
            queries: durations(&known::DATABASE_OPERATION),
        }
    }

    pub(super) fn sent(&self, service: &str, road: Road<'_>, messages: usize, outcome: Appending) {
        let error = (outcome != Appending::Appended).then(|| outcome.word());
        messaging(&self.sent, service, value::SEND, road, error, |of| of.add(messages as u64));
    }

    pub(super) fn processed(&self, service: &str, road: Road<'_>, all: &[Duration], error: Option<&str>) {
        messaging(&self.processing, service, value::PROCESS, road, error, |of| of.record_all(all));
    }

    pub(super) fn queried(
        &self,
        service: &str,
        system: &'static str,
        query: Query,
        took: Duration,
        error: Option<&str>,
    ) {
        let table = query.table();
        let set = || {
            let summary = query.summary();
            let mut more = vec![
                (key::DB_SYSTEM, system),
                (key::DB_OPERATION, query.operation()),
                (key::DB_SUMMARY, summary.as_str()),
            ];
            more.extend(table.map(|table| (key::DB_COLLECTION, table)));
            more.extend(error.map(|error| (key::ERROR_TYPE, error)));
            attributes(service, &more)
        };
        let mut texts = Texts::new();
        let asked = [query.operation(), query.first_table(), table.unwrap_or(NONE)];
        [service, system, error.unwrap_or(NONE)].iter().chain(&asked).for_each(|text| texts.add(text));
        self.queries.find(&texts, set, |of| of.record(took.as_secs_f64()));
    }
}

/// The text of a topic is only put together for a new series.
fn messaging<I: Instrument>(
    family: &Family<I>,
    service: &str,
    operation: &str,
    (system, topic): Road<'_>,
    error: Option<&str>,
    tell: impl FnOnce(&I::Series),
) {
    let set = || {
        let topic = topic.to_string();
        let mut more = vec![
            (key::MESSAGING_SYSTEM, system),
            (key::MESSAGING_OPERATION, operation),
            (key::MESSAGING_DESTINATION, topic.as_str()),
        ];
        more.extend(error.map(|error| (key::ERROR_TYPE, error)));
        attributes(service, &more)
    };
    let mut texts = Texts::new();
    let all = [service, operation, error.unwrap_or(NONE), system, &topic.service, topic.stream.word()];
    all.iter().for_each(|text| texts.add(text));
    family.find(&texts, set, tell);
}
