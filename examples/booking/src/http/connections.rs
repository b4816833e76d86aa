//! Connections: how many, how long, how slow. What a client does or leaves undone costs at most one place for a bounded
//! time. Knows no route.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use palinode::{Clock, SystemClock};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{front::Front, patient::Patient, routes, within};

/// What clients may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// How long the head of a request may take to arrive, and its body as well; a connection may lie idle as long, and
    /// an answer may stand still as long.
    pub(crate) patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 512, patience: Duration::from_secs(10) }
    }
}

/// The largest head, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
/// Headers of a request.
const MOST_HEADERS: usize = 64;
/// How long a connection may be used.
const LIFE: Duration = Duration::from_secs(600);
/// How long an answer may take to be read once the connection is to be closed.
const LAST_ANSWER: Duration = Duration::from_secs(5);
/// Connections beyond the limit that are told so; more than these wait to be accepted.
const TOLD: usize = 64;
/// How long to wait after an accept that failed: for want of file handles, mostly.
const AGAIN: Duration = Duration::from_millis(50);

/// Accepts until it is asked to stop, so many at a time; then closes each connection after the answer it is at.
pub(crate) async fn serve(
    listener: TcpListener,
    front: impl Into<Front>,
    limits: Limits,
    stop: CancellationToken,
) {
    let front = front.into();
    let (places, told) = (Arc::new(Semaphore::new(limits.connections)), Arc::new(Semaphore::new(TOLD)));
    let (open, busy) = (TaskTracker::new(), routes::busy());
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(e) => {
                tracing::warn!("a connection could not be accepted: {e}");
                SystemClock.wait_until(SystemClock.now().plus(AGAIN)).await;
                continue;
            }
        };
        let (place, router) = if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            (place, front.now())
        } else {
            tokio::select! {
                () = stop.cancelled() => break,
                place = Arc::clone(&told).acquire_owned() => match place {
                    Ok(place) => (place, busy.clone()),
                    Err(_) => break,
                },
            }
        };
        let stop = stop.clone();
        open.spawn(async move {
            connection(stream, router, limits.patience, stop).await;
            drop(place);
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// One connection, until its client or its time ends it.
async fn connection(stream: TcpStream, router: Router, patience: Duration, stop: CancellationToken) {
    // Without it only small answers are slower.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, patience)), TowerToHyperService::new(router));
    tokio::pin!(served);
    tokio::select! {
        // A client that went away, or spoke no HTTP, is no news.
        _ = served.as_mut() => return,
        () = stop.cancelled() => {}
        () = SystemClock.wait_until(SystemClock.now().plus(LIFE)) => {}
    }
    served.as_mut().graceful_shutdown();
    // What is not read by then is dropped with the connection.
    let _ = within(LAST_ANSWER, served).await;
}
