//! The bank as a server of its own: charges come by HTTP, and its ledger can be read. What is answered to a charge is
//! durable, or says that it is not. Knows nothing of sagas but the effect keys they send.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    counter::Bank,
    ledger::Ledger,
    wire::{CHARGES, End, LEDGER, Order},
};
use crate::http::{Limits, serve_connections};

/// The largest charge, in bytes.
const LARGEST: usize = 8 * 1024;

/// A bank that listens.
pub(crate) struct Office {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// What a request is served from.
struct Desk {
    bank: Bank,
    file: Box<Path>,
}

impl Office {
    /// Opens the bank whose file this is.
    ///
    /// # Errors
    /// When its file or the address cannot be used.
    pub(crate) fn open(file: &Path, listener: TcpListener, limits: Limits) -> anyhow::Result<Self> {
        let bank = Bank::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route(CHARGES, post(charge))
            .route(LEDGER, get(read))
            .route("/livez", get(|| async { Json("alive") }))
            .route("/readyz", get(|| async { Json("ready") }))
            .layer(DefaultBodyLimit::max(LARGEST))
            .with_state(Arc::new(Desk { bank, file: file.into() }));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve_connections(listener, router, limits, stop.clone()));
        Ok(Self { address, stop, serving })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more charges, and returns when the last one is answered.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        // A task that panicked has answered nobody, which is an unknown outcome for whoever asked.
        let _ = self.serving.await;
    }
}

async fn charge(State(desk): State<Arc<Desk>>, Json(order): Json<Order>) -> Json<End> {
    Json(desk.bank.charge(order.into(), None).await.into())
}

async fn read(State(desk): State<Arc<Desk>>) -> Response {
    let ledger = tokio::task::spawn_blocking(move || Ledger::read(&desk.file)).await;
    match ledger.map_err(anyhow::Error::from).flatten() {
        Ok(ledger) => Json(ledger).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, format!("the ledger: {e:#}")).into_response(),
    }
}
