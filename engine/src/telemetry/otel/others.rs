//! The instruments of what is above the engine: made when they are first met, with the names and units that they bring.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use ::opentelemetry::metrics::{Counter, Histogram, Meter};

use super::{
    super::{Instrument, InstrumentKind, Measured},
    family::{Instrument as _, Made, Texts, attributes, histogram},
    series::{Adder, Binding, Recorder},
};

/// All of them, in one meter.
pub(super) struct Others {
    meter: Meter,
    binding: Binding,
    instruments: Mutex<BTreeMap<&'static str, Other>>,
    made: Made<Series>,
}

#[derive(Clone)]
enum Other {
    Counter(Counter<f64>),
    Histogram(Histogram<f64>),
    /// A gauge is asked, not told.
    Gauge,
}

enum Series {
    Counter(Adder<f64>),
    Histogram(Recorder),
    Gauge,
}

impl Others {
    pub(super) fn new(meter: &Meter, binding: Binding) -> Self {
        Self { meter: meter.clone(), binding, instruments: Mutex::default(), made: Made::default() }
    }

    pub(super) fn tell(&self, service: &str, measured: &Measured) {
        let Measured { series: of, value } = measured;
        let mut texts = Texts::new();
        texts.add(service);
        texts.add_hash(of.hash());
        let make =
            || self.instrument(of.instrument()).series(attributes(service, of.attributes()), self.binding);
        self.made.with(&texts, make, |series| match series {
            Series::Counter(counter) => counter.add(*value),
            Series::Histogram(histogram) => histogram.record(*value),
            Series::Gauge => {}
        });
    }

    fn instrument(&self, of: &Instrument) -> Other {
        let mut instruments = self.instruments.lock().unwrap_or_else(PoisonError::into_inner);
        instruments.entry(of.name).or_insert_with(|| Other::of(of, &self.meter)).clone()
    }
}

impl Other {
    fn of(instrument: &Instrument, meter: &Meter) -> Self {
        let Instrument { name, unit, about, kind, .. } = *instrument;
        match kind {
            InstrumentKind::Counter => {
                Self::Counter(meter.f64_counter(name).with_unit(unit).with_description(about).build())
            }
            InstrumentKind::Histogram => Self::Histogram(histogram(meter, instrument)),
            InstrumentKind::Gauge => Self::Gauge,
        }
    }

    fn series(&self, attributes: Vec<::opentelemetry::KeyValue>, binding: Binding) -> Series {
        match self {
            Self::Counter(counter) => Series::Counter(counter.of(attributes, binding)),
            Self::Histogram(histogram) => Series::Histogram(histogram.of(attributes, binding)),
            Self::Gauge => Series::Gauge,
        }
    }
}
