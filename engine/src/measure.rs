//! Measured values as plain data: what an entity, or whatever stands above the engine, wants to have counted. Knows no
//! meter and no clock.

use std::sync::Arc;

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

/// A value and what it was measured with.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// With what.
    pub instrument: &'static Instrument,
    /// How much; of a duration the seconds.
    pub value: f64,
    /// Names and values of attributes: few of either, and never an id.
    pub attributes: Vec<(&'static str, Arc<str>)>,
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

    /// This value of it.
    #[must_use]
    pub fn of<const N: usize>(
        &'static self,
        value: f64,
        attributes: [(&'static str, Arc<str>); N],
    ) -> Measured {
        Measured { instrument: self, value, attributes: attributes.into() }
    }
}
