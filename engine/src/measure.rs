//! Measured values as plain data: what an entity, or whatever stands above the engine, wants to have counted. Knows no
//! meter and no clock.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

/// An instrument: what is measured, in OpenTelemetry's words.
#[derive(Debug, PartialEq)]
pub struct Instrument {
    /// Its name.
    pub name: &'static str,
    /// What it does with values.
    pub kind: InstrumentKind,
    /// Its unit, by UCUM.
    pub unit: &'static str,
    /// What it measures, for people.
    pub about: &'static str,
    /// Of a histogram: the upper ends of its buckets.
    pub buckets: &'static [f64],
}

/// What an instrument does with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstrumentKind {
    /// Adds them up.
    Counter,
    /// Counts how often which come.
    Histogram,
    /// Shows the last one.
    Gauge,
}

/// An instrument with attributes, of which each is measured again and again: made once, and shared.
///
/// ```
/// use palinode::measure::Instrument;
///
/// static SOLD: Instrument = Instrument::counter("shop.sold", "{item}", "Things sold.");
/// let books = SOLD.series([("kind", "book".into())]);
/// let sold = books.measured(2.0);
/// assert_eq!((sold.value, sold.series.attributes()), (2.0, &[("kind", "book".into())][..]));
/// ```
#[derive(Debug, PartialEq)]
pub struct Series {
    instrument: &'static Instrument,
    attributes: Vec<(&'static str, Arc<str>)>,
    /// Of its texts: what it is found by.
    hash: u64,
}

/// A value and what it was measured with.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// With what.
    pub series: Arc<Series>,
    /// How much; of a duration the seconds.
    pub value: f64,
}

impl Instrument {
    /// Something that only grows.
    #[must_use]
    pub const fn counter(name: &'static str, unit: &'static str, about: &'static str) -> Self {
        Self { name, kind: InstrumentKind::Counter, unit, about, buckets: &[] }
    }

    /// Something that goes up and down, and is asked for.
    #[must_use]
    pub const fn gauge(name: &'static str, unit: &'static str, about: &'static str) -> Self {
        Self { name, kind: InstrumentKind::Gauge, unit, about, buckets: &[] }
    }

    /// How often which values come, in these buckets.
    #[must_use]
    pub const fn histogram(
        name: &'static str,
        unit: &'static str,
        about: &'static str,
        buckets: &'static [f64],
    ) -> Self {
        Self { name, kind: InstrumentKind::Histogram, unit, about, buckets }
    }

    /// With these names and values of attributes: few of either, and never an id.
    #[must_use]
    pub fn series(
        &'static self,
        attributes: impl IntoIterator<Item = (&'static str, Arc<str>)>,
    ) -> Arc<Series> {
        let attributes: Vec<_> = attributes.into_iter().collect();
        let mut hasher = DefaultHasher::new();
        (self.name, &attributes).hash(&mut hasher);
        Arc::new(Series { instrument: self, attributes, hash: hasher.finish() })
    }

    /// This value of it, with attributes that are only known now.
    #[must_use]
    pub fn of(
        &'static self,
        value: f64,
        attributes: impl IntoIterator<Item = (&'static str, Arc<str>)>,
    ) -> Measured {
        Measured { series: self.series(attributes), value }
    }
}

impl Series {
    /// What is measured.
    #[must_use]
    pub fn instrument(&self) -> &'static Instrument {
        self.instrument
    }

    /// Names and values of its attributes.
    #[must_use]
    pub fn attributes(&self) -> &[(&'static str, Arc<str>)] {
        &self.attributes
    }

    /// This value of it.
    #[must_use]
    pub fn measured(self: &Arc<Self>, value: f64) -> Measured {
        Measured { series: Arc::clone(self), value }
    }

    #[cfg(feature = "otel")]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}
