//! Instruments and their series. The same few sets of attributes are wanted for every commit: a series is made once and found
//! again by the texts of its attributes.

use std::{
    hash::{BuildHasher as _, Hasher as _},
    ptr,
    sync::{PoisonError, RwLock},
};

use ::opentelemetry::{
    Key, KeyValue,
    metrics::{Counter, Histogram, Meter},
};
use foldhash::quality::{FixedState, FoldHasher};

use super::{
    super::Instrument as Described,
    series::{Adder, Binding, Recorder},
};

/// More series than this are not kept: attributes that take few values never come to so many.
const MOST: usize = 4_096;

/// What has series.
pub(super) trait Instrument {
    /// One of them.
    type Series;

    /// That of these attributes.
    fn of(&self, attributes: Vec<KeyValue>, binding: Binding) -> Self::Series;
}

impl Instrument for Histogram<f64> {
    type Series = Recorder;

    fn of(&self, attributes: Vec<KeyValue>, binding: Binding) -> Recorder {
        Recorder::new(self, attributes, binding)
    }
}

impl<T: Clone> Instrument for Counter<T> {
    type Series = Adder<T>;

    fn of(&self, attributes: Vec<KeyValue>, binding: Binding) -> Adder<T> {
        Adder::new(self, attributes, binding)
    }
}

/// Some that are told together, with the same attributes.
impl<I: Instrument, const N: usize> Instrument for [I; N] {
    type Series = [I::Series; N];

    fn of(&self, attributes: Vec<KeyValue>, binding: Binding) -> Self::Series {
        self.each_ref().map(|one| one.of(attributes.clone(), binding))
    }
}

/// An instrument and its series.
pub(super) struct Family<I: Instrument> {
    instrument: I,
    binding: Binding,
    made: Made<I::Series>,
}

pub(super) type Durations = Family<Histogram<f64>>;
pub(super) type Counts = Family<Counter<u64>>;

/// The series that were wanted so far, in the order of the hashes of their texts: good ones of 64 bits, which two of the few
/// thousand series of a program share once in 10^12 programs.
pub(super) struct Made<S>(RwLock<Vec<(u64, S)>>);

impl<I: Instrument> Family<I> {
    pub(super) fn new(instrument: I, binding: Binding) -> Self {
        Self { instrument, binding, made: Made::default() }
    }

    /// Does this with the series of a service and what more is said.
    pub(super) fn with<V: AsRef<str>>(
        &self,
        service: &str,
        more: &[(&'static str, V)],
        work: impl FnOnce(&I::Series),
    ) {
        self.find(&Texts::of(service, more), || attributes(service, more), work);
    }

    /// Does this with the series that these texts stand for: always for the same attributes.
    pub(super) fn find(
        &self,
        texts: &Texts,
        attributes: impl FnOnce() -> Vec<KeyValue>,
        work: impl FnOnce(&I::Series),
    ) {
        self.made.with(texts, || self.instrument.of(attributes(), self.binding), work);
    }
}

impl<S> Default for Made<S> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<S> Made<S> {
    /// Does this with the series of these texts, which is made if there is none yet.
    pub(super) fn with(&self, texts: &Texts, make: impl FnOnce() -> S, work: impl FnOnce(&S)) {
        let hash = texts.hash();
        let place = |made: &[(u64, S)]| made.binary_search_by_key(&hash, |(of, _)| *of);
        let made = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Ok(at) = place(&made)
            && let Some((_, series)) = made.get(at)
        {
            return work(series);
        }
        drop(made);
        let series = make();
        work(&series);
        let mut made = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if made.len() < MOST
            && let Err(at) = place(&made)
        {
            made.insert(at, (hash, series));
        }
    }
}

/// What a series is found by: texts, and the places of names that the program is written with. A name that has two places
/// finds two series with the same attributes, which are the same series.
pub(super) struct Texts(FoldHasher<'static>);

impl Texts {
    pub(super) fn new() -> Self {
        Self(FixedState::default().build_hasher())
    }

    /// Those of a service and what more is said.
    pub(super) fn of<V: AsRef<str>>(service: &str, more: &[(&'static str, V)]) -> Self {
        let mut texts = Self::new();
        texts.add(service);
        for (key, value) in more {
            texts.add_name(key);
            texts.add(value.as_ref());
        }
        texts
    }

    pub(super) fn add(&mut self, text: &str) {
        // This hash tells texts apart from one that is run together of them, without a mark between.
        self.0.write(text.as_bytes());
    }

    fn add_name(&mut self, name: &'static str) {
        ptr::hash(name, &mut self.0);
    }

    /// What stands for some texts.
    pub(super) fn add_hash(&mut self, hash: u64) {
        self.0.write_u64(hash);
    }

    fn hash(&self) -> u64 {
        self.0.finish()
    }
}

/// The attributes of a service and what more is said.
pub(super) fn attributes<V: AsRef<str>>(service: &str, more: &[(&'static str, V)]) -> Vec<KeyValue> {
    let text = |key, value: &str| KeyValue::new(Key::from_static_str(key), value.to_owned());
    let more = more.iter().map(|(key, value)| text(key, value.as_ref()));
    std::iter::once(text("service", service)).chain(more).collect()
}

pub(super) fn histogram(meter: &Meter, of: &Described) -> Histogram<f64> {
    let builder = meter.f64_histogram(of.name).with_unit(of.unit).with_description(of.about);
    builder.with_boundaries(of.buckets.to_vec()).build()
}

pub(super) fn counter(meter: &Meter, of: &Described) -> Counter<u64> {
    meter.u64_counter(of.name).with_unit(of.unit).with_description(of.about).build()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Shows which attributes a series was made for.
    struct Shows;

    impl Instrument for Shows {
        type Series = Vec<String>;

        fn of(&self, attributes: Vec<KeyValue>, _: Binding) -> Vec<String> {
            attributes.iter().map(|of| format!("{}={}", of.key, of.value)).collect()
        }
    }

    fn family() -> Family<Shows> {
        Family::new(Shows, Binding::Each)
    }

    fn shown(family: &Family<Shows>, service: &str, more: &[(&'static str, &str)]) -> Vec<String> {
        let shown = Cell::default();
        family.with(service, more, |series| shown.set(series.clone()));
        shown.into_inner()
    }

    #[test]
    fn the_same_texts_are_the_same_series() {
        let family = family();
        for _ in 0..2 {
            let more = [("kind", "room"), ("outcome", "accepted")];
            assert_eq!(shown(&family, "hotel", &more), ["service=hotel", "kind=room", "outcome=accepted"]);
            assert_eq!(shown(&family, "hotel", &[]), ["service=hotel"]);
        }
        assert_eq!(family.made.0.read().unwrap().len(), 2);
    }

    #[test]
    fn texts_are_not_run_together() {
        let family = family();
        shown(&family, "hotel", &[("kind", "room"), ("reason", "s")]);
        shown(&family, "hotel", &[("kind", "rooms"), ("reason", "")]);
        shown(&family, "hotel", &[("kind", "rooms")]);
        assert_eq!(family.made.0.read().unwrap().len(), 3);
    }

    #[test]
    fn the_same_value_of_another_attribute_is_another_series() {
        let family = family();
        assert_eq!(shown(&family, "hotel", &[("kind", "room")]), ["service=hotel", "kind=room"]);
        assert_eq!(shown(&family, "hotel", &[("table", "room")]), ["service=hotel", "table=room"]);
    }

    #[test]
    fn not_every_series_is_kept() {
        let family = family();
        for n in 0..MOST + 10 {
            let value = n.to_string();
            assert_eq!(shown(&family, "hotel", &[("kind", &value)]).len(), 2);
        }
        assert_eq!(family.made.0.read().unwrap().len(), MOST);
    }
}
