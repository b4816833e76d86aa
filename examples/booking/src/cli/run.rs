//! `booking run`: a process that runs services on Kafka and PostgreSQL, until somebody asks it to stop. It hands its
//! shards over before it goes.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use clap::Args;
use palinode::Limits;

use super::{
    Common, Seconds, say, serve,
    stop::{self, Signals},
};
use crate::{
    http::{self, Server},
    services::{Name, Services},
};

/// What it says on stdout once it runs: what a parent process waits for.
const RUNNING: &str = "running";

#[derive(Debug, Clone, Args)]
pub(super) struct RunArgs {
    /// Which services, with commas between; all of them when nothing is said
    #[arg(long, value_name = "NAMES", value_enum, value_delimiter = ',')]
    services: Vec<Name>,
    /// Seconds a trip waits for its guest's decision before it is taken back
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    hold: Seconds,
    /// Serve HTTP as well, the health checks among it
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Listen on an address that others reach, although anybody who reaches it may do everything
    #[arg(long)]
    insecure: bool,
}

/// Runs until it is asked to stop.
///
/// # Errors
/// When a server does not answer or refuses, or a service was never created.
pub(super) async fn run(args: &RunArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    let servers = place.servers().context(
        "services run on servers: say --kafka HOST:PORT and --postgres URL; without them `booking serve` runs all four \
         on a folder",
    )?;
    let listener = match args.listen {
        Some(listen) => {
            serve::reachable(listen, args.insecure)?;
            Some(serve::bind(listen).await?)
        }
        None => None,
    };
    let names = if args.services.is_empty() { Name::ALL.to_vec() } else { args.services.clone() };
    let mut signals = Signals::listen()?;
    let services = async {
        let services = Services::run(&place, servers, &names, args.hold.0, Limits::default()).await;
        services.with_context(|| place.to_string())
    };
    let starting = async {
        Ok::<_, anyhow::Error>(match listener {
            Some(listener) => {
                Running::Served(Server::start(services, listener, http::Limits::default()).await?)
            }
            None => Running::Alone(Box::new(services.await?)),
        })
    };
    let running = tokio::select! {
        started = starting => started?,
        () = signals.heard() => {
            say::aside("stopped before it ran");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let words = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
    match &running {
        Running::Served(server) => {
            say::line(format_args!("{RUNNING} {words}, {}{}", serve::LISTENING, server.address()));
        }
        Running::Alone(_) => say::line(format_args!("{RUNNING} {words}")),
    }
    tracing::info!(services = words, place = %place, "running");
    signals.heard().await;
    tracing::info!("stopping: what is in flight is finished, shards are handed over");
    let stopped = async {
        match running {
            Running::Served(server) => server.stop().await,
            Running::Alone(services) => services.stop().await,
        }
    };
    let orderly = tokio::select! {
        orderly = stopped => orderly,
        () = signals.end_when_heard() => false,
    };
    Ok(stop::said(orderly))
}

/// What runs.
enum Running {
    Served(Server),
    Alone(Box<Services>),
}
