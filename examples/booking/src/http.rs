//! The HTTP face of the example: routes, their description, refusals, and a server that stops in order. Knows the
//! services and their read models; knows nothing of the command line.
//!
//! A write is answered when it is durable, with a token; a query that brings the token sees the write. What cannot be
//! known is said to be unknown, with the id to ask again with.

#![expect(unused_qualifications, reason = "in the code that describes the routes, which is generated")]

use std::{net::SocketAddr, time::Duration};

use palinode::{Clock, SystemClock};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::services::Services;

mod app;
mod body;
mod connections;
pub(crate) mod form;
mod front;
mod health;
mod lists;
mod measured;
mod openapi;
mod patient;
mod problem;
mod query;
mod routes;
mod token;
mod traced;
mod trips;

use app::App;
pub(crate) use connections::{Limits, serve as serve_connections};
use front::Front;

/// How long requests in flight may take once the server is asked to stop.
const DRAIN: Duration = Duration::from_secs(15);

/// A running server.
pub(crate) struct Server {
    app: App,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    watching: JoinHandle<()>,
}

impl Server {
    /// Serves services that start on an address, within these limits. Probes are answered at once; `readyz` says
    /// when the services have started and the read models caught up.
    ///
    /// # Errors
    /// When the address cannot be used, the services do not start, or the saga rows cannot be followed.
    pub(crate) async fn start(
        services: impl Future<Output = anyhow::Result<Services>>,
        listener: TcpListener,
        limits: Limits,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let (front, stop) = (Front::starting(), CancellationToken::new());
        let unless_started = stop.clone().drop_guard();
        let serving = tokio::spawn(connections::serve(listener, front.clone(), limits, stop.clone()));
        let services = services.await?;
        let sagas_model = services.sagas_model().await?;
        let app = App::new(services, sagas_model, limits);
        let (router, description) = routes::of(app.clone());
        app.describe(description);
        front.open(router);
        let watching = tokio::spawn(watch(app.clone(), stop.clone()));
        unless_started.disarm();
        Ok(Self { app, address, stop, serving, watching })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops in order: `readyz` says no, new requests are refused, those in flight are finished, then the services stop.
    /// True when all of it ended within its time; what did not is dropped, which loses nothing.
    pub(crate) async fn stop(self) -> bool {
        let Self { app, stop, serving, watching, .. } = self;
        app.drain();
        let answered = within(DRAIN, app.answered()).await.is_some();
        stop.cancel();
        let closed = serving.await.is_ok() && watching.await.is_ok();
        let Some(services) = app.into_services() else { return false };
        services.stop().await && answered && closed
    }
}

/// Notes when all read models have caught up for the first time.
async fn watch(app: App, stop: CancellationToken) {
    let all = async {
        for model in app.models() {
            model.caught_up().await;
        }
    };
    tokio::select! {
        () = all => app.caught_up(),
        () = stop.cancelled() => {}
    }
}

/// What comes of it within this time, if anything does.
async fn within<T>(time: Duration, what: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        result = what => Some(result),
        () = SystemClock.wait_until(SystemClock.now().plus(time)) => None,
    }
}
