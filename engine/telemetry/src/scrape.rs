//! Metrics where Prometheus comes for them: `GET /metrics`, on a thread of its own, so that it answers whatever the
//! program is busy with. It asks nobody who they are.

use std::{
    net::{SocketAddr, TcpListener},
    thread::{self, JoinHandle},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};
use tokio::sync::oneshot;

use crate::{SetupError, tracers::resource};

/// A running endpoint. It ends with the value.
#[derive(Debug)]
pub(crate) struct Scrape {
    address: SocketAddr,
    provider: SdkMeterProvider,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Scrape {
    /// Serves the metrics of the program of this name.
    ///
    /// # Errors
    /// The address cannot be used.
    pub(crate) fn start(name: &str, address: SocketAddr) -> Result<Self, SetupError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|why| SetupError::Exporter(why.to_string()))?;
        let provider =
            SdkMeterProvider::builder().with_reader(exporter).with_resource(resource(name)).build();

        let cannot = |why| SetupError::Metrics { address, why };
        let listener = TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("metrics".into());
        let thread = thread.spawn(move || serve(listener, registry, stopped)).map_err(cannot)?;
        Ok(Self { address, provider, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }
}

impl Drop for Scrape {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: TcpListener, registry: Registry, stopped: oneshot::Receiver<()>) {
    let served = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let router = Router::new().route("/metrics", get(metrics)).with_state(registry);
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served,
                // Whoever is just being answered asks again elsewhere.
                _ = stopped => Ok(()),
            }
        });
        // No connection that somebody keeps open keeps the program from ending.
        runtime.shutdown_background();
        served
    };
    if let Err(error) = served() {
        let error: std::io::Error = error;
        tracing::error!(%error, "metrics are not served");
    }
}

async fn metrics(State(registry): State<Registry>) -> Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}
