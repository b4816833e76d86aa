//! A hundred thousand sagas, counted by a real SDK.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics},
};
use palinode::{
    Address, Context, Micros,
    entity::{Decision, Entity, EntityInput, Kind},
    telemetry::{Fact, Observe, otel::OpenTelemetry},
    trace::Scope,
};
use palinode_sagas::entity::SagaKind;
use serde_json::value::{RawValue, to_raw_value};

use crate::world::{linear, trip};

const SAGAS: u32 = 100_000;

/// An instance, driven as a shard drives it.
struct Driven<'a> {
    observer: &'a OpenTelemetry,
    entity: Box<dyn Entity>,
    id: Arc<str>,
    version: u64,
}

impl Driven<'_> {
    fn take(&mut self, input: &EntityInput<'_>, n: u32) {
        let mut trace = Scope::default();
        trace.counted = true;
        let cx = Context {
            time: Micros(i64::from(n) + i64::try_from(self.version).unwrap()),
            entity: Address::new("trip", "book-trip", Arc::clone(&self.id)),
            version: self.version,
            cause: format!("{}/{}", self.id, self.version).into(),
            trace,
        };
        let Decision { events, measured, .. } = self.entity.handle(input, &cx).unwrap();
        self.version += events.len() as u64;
        measured.iter().for_each(|measured| self.observer.fact("trip", &Fact::Measured(measured)));
    }
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// How many series each metric has, and how much they come to.
fn shown(exporter: &InMemoryMetricExporter) -> BTreeMap<String, (usize, u64)> {
    let finished = exporter.get_finished_metrics().unwrap();
    let metrics = finished.iter().flat_map(ResourceMetrics::scope_metrics).flat_map(ScopeMetrics::metrics);
    let shown = metrics.map(|metric| {
        let AggregatedMetrics::F64(data) = metric.data() else { panic!("sagas measure in floats") };
        let (series, sum) = match data {
            MetricData::Sum(sum) => {
                (sum.data_points().count(), sum.data_points().map(|point| point.value() as u64).sum())
            }
            MetricData::Histogram(histogram) => {
                (histogram.data_points().count(), histogram.data_points().map(|point| point.count()).sum())
            }
            other => panic!("{other:?}"),
        };
        (metric.name().to_owned(), (series, sum))
    });
    shown.collect()
}

#[test]
fn a_hundred_thousand_sagas_are_as_many_series_as_one_of_each_fate() {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3_600)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let observer = OpenTelemetry::new().metrics(&provider.meter("palinode"));
    let kind = SagaKind::new(Arc::clone(linear().definition()));
    let start = to_raw_value(&serde_json::json!({ "data": trip() })).unwrap();
    let kill = to_raw_value(&serde_json::json!({ "by": "ada", "reason": "a test" })).unwrap();
    let full = raw(r#"{"outcome":"rejected","answer":{"code":"full","text":"it is full"}}"#);
    let held = raw(r#"{"outcome":"accepted","answer":{"price":1}}"#);
    // Given a hundred thousand instances: killed, refused at once, refused after a step
    for n in 0..SAGAS {
        let id: Arc<str> = format!("t{n}").into();
        let entity = kind.blank(&id);
        let mut driven = Driven { observer: &observer, entity, id, version: 0 };
        let message = |name, data| EntityInput::Message { name, data, expect_version: None, from: None };
        driven.take(&message("start", &start), n);
        match n % 3 {
            0 => driven.take(&message("kill", &kill), n),
            1 => driven.take(&EntityInput::Reply { re: "room/do/1", data: &full }, n),
            _ => {
                driven.take(&EntityInput::Reply { re: "room/do/1", data: &held }, n);
                driven.take(&EntityInput::Reply { re: "seat/do/1", data: &full }, n);
                driven.take(&EntityInput::Reply { re: "room/undo/1", data: &held }, n);
            }
        }
    }
    // When they are collected
    provider.force_flush().unwrap();
    // Then there are as many series as fates and nodes, and all of them were counted
    let shown = shown(&exporter);
    let all = u64::from(SAGAS);
    assert_eq!(shown["saga.started"], (1, all));
    assert_eq!(shown["saga.finished"], (2, all), "killed and compensated");
    assert_eq!(shown["saga.duration"], (2, all));
    assert_eq!(shown["saga.node.attempts"].0, 3, "room, seat, and the room's undo");
    assert_eq!(shown["saga.node.duration"].0, 4, "room done and refused, seat refused, the room's undo done");
    assert_eq!(shown.len(), 5, "{shown:?}");
    // And each has its line on the page
    let page = include_str!("../../../docs/metrics.md");
    assert!(shown.keys().all(|name| page.contains(&format!("\n| `{name}` |"))));
}
