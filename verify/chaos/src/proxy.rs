//! A TCP proxy before the broker that can hold everything that goes through it, in both directions, and let it go later: also
//! what a client sent that has given up meanwhile. Knows of the broker's protocol only that the bytes of a commit are plain.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What stands in every commit and in nothing else that is sent.
const COMMIT: &[u8] = br#""t":"commit""#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Holds from the next commit on.
    Armed,
    Held,
}

/// A proxy, until it is dropped.
pub(crate) struct Proxy {
    mode: Arc<watch::Sender<Mode>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens here, for the server there.
    pub(crate) async fn start(outer: SocketAddr, inner: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(outer).await.with_context(|| format!("a proxy at {outer}"))?;
        let mode = Arc::new(watch::channel(Mode::Open).0);
        let accepting = tokio::spawn(accept(listener, inner, Arc::clone(&mode)));
        Ok(Self { mode, accepting })
    }

    /// Holds everything, from the next commit that a client sends on.
    pub(crate) fn hold_next_commit(&self) {
        self.mode.send_replace(Mode::Armed);
    }

    /// Whether a commit is held.
    pub(crate) fn holds(&self) -> bool {
        *self.mode.borrow() == Mode::Held
    }

    /// Lets go of everything.
    pub(crate) fn release(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.release();
    }
}

async fn accept(listener: TcpListener, inner: SocketAddr, mode: Arc<watch::Sender<Mode>>) {
    while let Ok((client, _)) = listener.accept().await {
        // A broker that is away is away behind a proxy too.
        let Ok(server) = TcpStream::connect(inner).await else { continue };
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::spawn(pass(from_client, to_server, Arc::clone(&mode), true));
        tokio::spawn(pass(from_server, to_client, Arc::clone(&mode), false));
    }
}

/// Passes on what comes, while nothing is held.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mode: Arc<watch::Sender<Mode>>,
    up: bool,
) {
    let (mut bytes, mut changes) = (vec![0; 65_536], mode.subscribe());
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let chunk = bytes.get(..read).unwrap_or_default();
        if up && chunk.windows(COMMIT.len()).any(|words| words == COMMIT) {
            mode.send_if_modified(|mode| {
                let meets = *mode == Mode::Armed;
                if meets {
                    *mode = Mode::Held;
                }
                meets
            });
        }
        if changes.wait_for(|mode| *mode != Mode::Held).await.is_err() || to.write_all(chunk).await.is_err() {
            return;
        }
    }
    // The other side hears that this one has ended only when all is passed on.
    let _ = to.shutdown().await;
}
