//! `chaos`: disasters on servers of its own, or one of the processes they happen to. `cargo xtask chaos` builds and calls
//! it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command line program")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use palinode_chaos::{Campaign, NodeArgs, node};
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

/// Real processes, real servers, and what goes wrong with them.
#[derive(Subcommand)]
enum What {
    /// Lets disasters strike, and says whether everything held.
    Run(RunArgs),
    /// One process of the domain: what disasters happen to.
    Node(NodeArgs),
}

#[derive(Parser)]
struct RunArgs {
    /// Begin no disaster after so many minutes; without it, each strikes once.
    #[arg(long)]
    minutes: Option<u64>,
    /// What order and details are drawn from; without it, the time.
    #[arg(long)]
    seed: Option<u64>,
    /// Only the disaster of this name.
    #[arg(long)]
    only: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Where the evidence of failures goes.
    #[arg(long, default_value = "target/chaos")]
    evidence: PathBuf,
}

fn main() -> ExitCode {
    let Args { what } = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,palinode=info"));
    if matches!(what, What::Node(_)) {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(std::io::stderr)
            .init();
    }
    let done =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime").and_then(
            |runtime| {
                let done = runtime.block_on(async {
                    match what {
                        What::Run(args) => disasters(&args).await,
                        What::Node(args) => node(args).await.map(|()| true),
                    }
                });
                // A thread that reads the standard input waits for ever.
                runtime.shutdown_background();
                done
            },
        );
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("chaos: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn disasters(args: &RunArgs) -> anyhow::Result<bool> {
    let campaign = Campaign {
        within: args.minutes.map(|minutes| Duration::from_secs(minutes * 60)),
        seed: args.seed.unwrap_or_else(drawn),
        only: args.only.clone(),
        program: std::env::current_exe()?,
        kept: args.evidence.clone(),
    };
    // Whoever is told to end still ends what it started.
    let mut told = signal(SignalKind::terminate())?;
    let outcome = tokio::select! {
        outcome = campaign.run() => outcome?,
        _ = told.recv() => bail!("told to end"),
        said = ctrl_c() => return said.map_err(Into::into).and_then(|()| bail!("interrupted")),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        println!("{}", outcome.table());
    }
    Ok(outcome.held)
}

/// A seed that no other run has: it is printed with the result.
fn drawn() -> u64 {
    use palinode::{Clock as _, SystemClock};
    u64::try_from(SystemClock.now().0).unwrap_or_default() % 1_000_000_000
}
