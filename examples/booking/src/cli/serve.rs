//! `booking serve`: the services behind HTTP, until somebody asks the process to stop.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Context, bail};
use clap::Args;
use tokio::net::TcpListener;

use super::{
    Common, Seconds, say,
    stop::{self, Signals},
};
use crate::{
    http::{Limits, Server},
    place::Place,
    services::Services,
};

/// The word before the address on stdout, once it listens: what a parent process waits for.
pub(super) const LISTENING: &str = "listening on http://";

#[derive(Debug, Clone, Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Seconds a trip waits for its guest's decision before it is taken back
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    hold: Seconds,
    /// Connections at a time; one more is told to come back later
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    connections: u32,
    /// Commands that may wait for one shard; one more is told to come back later
    #[arg(long, value_name = "N", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    queue: u32,
    /// Seconds the head of a request may take to arrive, its body as well, and an answer to be taken
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    patience: Seconds,
    /// Listen on an address that others reach, although anybody who reaches it may do everything
    #[arg(long)]
    insecure: bool,
}

/// Serves until it is asked to stop.
///
/// # Errors
/// When the address or the data cannot be used.
pub(super) async fn run(args: &ServeArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    reachable(args.listen, args.insecure)?;
    let listener = bind(args.listen).await?;
    // Before anybody can know that it serves.
    let mut signals = Signals::listen()?;
    let server = tokio::select! {
        started = start(args, &place, listener) => started?,
        () = signals.heard() => {
            say::aside("stopped before it served");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let address = server.address();
    say::line(format_args!("{LISTENING}{address}"));
    tracing::info!(%address, data = %place, "serving");
    signals.heard().await;
    tracing::info!("stopping: requests in flight are answered, new ones refused");
    let orderly = tokio::select! {
        orderly = server.stop() => orderly,
        () = signals.end_when_heard() => false,
    };
    Ok(stop::said(orderly))
}

/// Refuses an address that others reach, unless that is meant.
///
/// # Errors
/// It is not.
pub(super) fn reachable(listen: SocketAddr, insecure: bool) -> anyhow::Result<()> {
    if !listen.ip().is_loopback() && !insecure {
        bail!(
            "{listen} is reached by others, and this server asks nobody who they are: listen on 127.0.0.1 behind \
             something that does, or say --insecure"
        );
    }
    Ok(())
}

/// Listens.
///
/// # Errors
/// When the address cannot be used.
pub(super) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!("{listen} cannot be listened on; another port is taken with --listen ADDRESS:PORT")
    })
}

async fn start(args: &ServeArgs, place: &Place, listener: TcpListener) -> anyhow::Result<Server> {
    let queue = usize::try_from(args.queue)?;
    let usual = palinode::Limits::default();
    let shards = palinode::Limits { queue, pipeline: usual.pipeline.min(queue), ..usual };
    let limits = Limits { connections: usize::try_from(args.connections)?, patience: args.patience.0 };
    Server::start(Services::start(place, args.hold.0, shards), listener, limits).await
}
