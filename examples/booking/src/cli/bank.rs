//! `booking bank`: the bank as a process of its own, for services that are several.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use clap::Args;

use super::{Common, Seconds, say, serve::LISTENING, stop::Signals};
use crate::{http::Limits, payment::Office, place::PAYMENTS};

#[derive(Debug, Clone, Args)]
pub(super) struct BankArgs {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Connections at a time; one more is told to come back later
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    connections: u32,
    /// Seconds the head of a request may take to arrive, its body as well, and an answer to be taken
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    patience: Seconds,
    /// Listen on an address that others reach, although anybody who reaches it may charge
    #[arg(long)]
    insecure: bool,
}

/// Charges until it is asked to stop.
///
/// # Errors
/// When the address or the bank's file cannot be used.
pub(super) async fn run(args: &BankArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let folder = common.folder()?;
    super::serve::reachable(args.listen, args.insecure)?;
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let listener = super::serve::bind(args.listen).await?;
    let limits = Limits { connections: usize::try_from(args.connections)?, patience: args.patience.0 };
    let mut signals = Signals::listen()?;
    let office = Office::open(&folder.join(PAYMENTS), listener, limits)?;
    say::line(format_args!("{LISTENING}{}", office.address()));
    signals.heard().await;
    tokio::select! {
        () = office.close() => {}
        () = signals.end_when_heard() => {}
    }
    Ok(ExitCode::SUCCESS)
}
