//! One provider of tracers for each service, made when the first span of the service comes, so that each has a
//! `service.name` of its own, also when several live in one process. They share one client of HTTP, and each has a queue
//! and a thread of its own: a collector that is slow or away costs spans, and never anybody's time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, TracerProviderBuilder},
};

use crate::{SetupError, environment::Spans, ids::GivenIds};

/// The providers of a process.
#[derive(Debug)]
pub(crate) struct Tracers {
    spans: Spans,
    client: reqwest::blocking::Client,
    providers: Mutex<BTreeMap<(Whose, Box<str>), SdkTracerProvider>>,
}

/// Whose spans they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// Of a service of a log: it was decided before whether they are kept.
    Service,
    /// Of the program: the sampler decides.
    Program,
}

impl Tracers {
    /// # Errors
    /// What the exporter cannot use.
    pub(crate) fn start(spans: Spans) -> Result<Arc<Self>, SetupError> {
        let client = client(spans.timeout)?;
        let tracers = Self { spans, client, providers: Mutex::default() };
        // What cannot be exported at all is said now and not with the first span.
        tracers.exporter()?;
        Ok(Arc::new(tracers))
    }

    /// The share of new traces that is kept.
    pub(crate) fn ratio(&self) -> f64 {
        self.spans.ratio
    }

    /// The provider of a service.
    pub(crate) fn of_service(&self, service: &str) -> SdkTracerProvider {
        self.of(Whose::Service, service)
    }

    /// The provider of a program for spans that belong to no service.
    pub(crate) fn of_program(&self, name: &str) -> SdkTracerProvider {
        self.of(Whose::Program, name)
    }

    fn of(&self, whose: Whose, name: &str) -> SdkTracerProvider {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        let provider = providers.entry((whose, name.into())).or_insert_with(|| {
            let sampler = match whose {
                Whose::Service => Sampler::AlwaysOn,
                Whose::Program => self.spans.sampler.clone(),
            };
            self.builder(name).with_sampler(sampler).build()
        });
        provider.clone()
    }

    fn builder(&self, name: &str) -> TracerProviderBuilder {
        let builder =
            SdkTracerProvider::builder().with_resource(resource(name)).with_id_generator(GivenIds::default());
        match self.exporter() {
            Ok(exporter) => builder.with_span_processor(self.queue(exporter)),
            Err(why) => {
                tracing::error!(service = name, error = %why, "its spans are lost");
                builder
            }
        }
    }

    fn queue(&self, exporter: SpanExporter) -> BatchSpanProcessor {
        let batch = self.spans.batch;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(batch.queue)
            .with_max_export_batch_size(batch.size)
            .with_scheduled_delay(batch.delay);
        BatchSpanProcessor::builder(exporter).with_batch_config(config.build()).build()
    }

    fn exporter(&self) -> Result<SpanExporter, SetupError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(self.client.clone())
            .with_endpoint(&self.spans.endpoint)
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_timeout(self.spans.timeout);
        exporter.build().map_err(|why| SetupError::Exporter(why.to_string()))
    }

    /// Sends what waits, of all at the same time, and ends. True when all of it left within the budget.
    pub(crate) fn drain(&self, budget: Duration) -> bool {
        let providers = std::mem::take(&mut *self.providers.lock().unwrap_or_else(PoisonError::into_inner));
        thread::scope(|all| {
            let ending: Vec<_> = providers
                .iter()
                .map(|((_, name), provider)| {
                    all.spawn(move || match provider.shutdown_with_timeout(budget) {
                        Ok(()) => true,
                        Err(why) => {
                            tracing::warn!(service = &**name, error = %why, "spans were not sent");
                            false
                        }
                    })
                })
                .collect();
            // All are waited for, also after one that failed.
            let sent: Vec<bool> = ending.into_iter().map(|one| one.join().unwrap_or(false)).collect();
            sent.iter().all(|sent| *sent)
        })
    }
}

/// What is said of everything that a service tells: its name, and what `OTEL_RESOURCE_ATTRIBUTES` holds.
pub(crate) fn resource(name: &str) -> Resource {
    Resource::builder().with_service_name(name.to_owned()).build()
}

/// Made where no runtime is: it has one of its own.
fn client(timeout: Duration) -> Result<reqwest::blocking::Client, SetupError> {
    #[cfg(feature = "tls")]
    // Somebody else may have chosen one before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = thread::spawn(move || reqwest::blocking::Client::builder().timeout(timeout).build()).join();
    let failed = |why: String| SetupError::Exporter(format!("no client of HTTP: {why}"));
    made.map_err(|_| failed("it panicked".into()))?.map_err(|why| failed(why.to_string()))
}
