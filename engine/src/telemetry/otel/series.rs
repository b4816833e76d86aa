//! One series each: an instrument with its attributes. Looking for the attributes at every value is half of what a value costs,
//! so a series is bound where the SDK can do that. It is an experiment of OpenTelemetry's API, with a feature of its own.

use std::time::Duration;

#[cfg(feature = "otel-bound")]
use ::opentelemetry::metrics::{BoundCounter, BoundHistogram};
use ::opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};

/// How often a meter looks for a series.
#[derive(Debug, Clone, Copy)]
pub(super) enum Binding {
    /// At every value.
    Each,
    /// Once.
    #[cfg(feature = "otel-bound")]
    Once,
}

/// A series of a histogram.
pub(super) enum Recorder {
    Named(Histogram<f64>, Vec<KeyValue>),
    #[cfg(feature = "otel-bound")]
    Bound(BoundHistogram<f64>),
}

impl Recorder {
    pub(super) fn new(of: &Histogram<f64>, attributes: Vec<KeyValue>, binding: Binding) -> Self {
        match binding {
            Binding::Each => Self::Named(of.clone(), attributes),
            #[cfg(feature = "otel-bound")]
            Binding::Once => Self::Bound(of.bind(&attributes)),
        }
    }

    pub(super) fn record(&self, value: f64) {
        match self {
            Self::Named(histogram, attributes) => histogram.record(value, attributes),
            #[cfg(feature = "otel-bound")]
            Self::Bound(histogram) => histogram.record(value),
        }
    }

    pub(super) fn record_all(&self, all: &[Duration]) {
        all.iter().for_each(|took| self.record(took.as_secs_f64()));
    }
}

/// A series of a counter.
pub(super) enum Adder<T> {
    Named(Counter<T>, Vec<KeyValue>),
    #[cfg(feature = "otel-bound")]
    Bound(BoundCounter<T>),
}

impl<T: Clone> Adder<T> {
    pub(super) fn new(of: &Counter<T>, attributes: Vec<KeyValue>, binding: Binding) -> Self {
        match binding {
            Binding::Each => Self::Named(of.clone(), attributes),
            #[cfg(feature = "otel-bound")]
            Binding::Once => Self::Bound(of.bind(&attributes)),
        }
    }

    pub(super) fn add(&self, value: T) {
        match self {
            Self::Named(counter, attributes) => counter.add(value, attributes),
            #[cfg(feature = "otel-bound")]
            Self::Bound(counter) => counter.add(value),
        }
    }
}
