//! `booking load`: many clients at a time book trips over HTTP, ask again under the same id whenever the outcome is
//! unknown, and look in the end what became of every trip that was accepted. It may run the server itself, and kill it.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use hyper::Method;
use palinode::{Clock, Ids, SystemClock, SystemIds};
use serde::Serialize;
use tokio::{sync::watch, task::JoinSet};

use super::{
    Common, progress, report,
    say::{self, Ink, Tone},
};
use crate::audit::{Audit, audit};

mod client;
mod guests;
mod pace;
mod seen;
mod server;

use client::Client;
use guests::Guests;
use pace::Pace;
use seen::Seen;
use server::Child;

#[derive(Debug, Clone, Args)]
pub(super) struct LoadArgs {
    /// How long trips are booked, in seconds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How many trips a second, all clients together; as many as they can when it is left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How many clients there are, each with a connection
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    connections: u32,
    /// The server; without it, one is started on the data and audited in the end
    #[arg(long, value_name = "http://HOST:PORT")]
    url: Option<String>,
    /// Kill the server so many times (SIGKILL) and start it again
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "url", value_parser = clap::value_parser!(u32).range(0..=100))]
    kills: u32,
    /// Which trips: the same seed makes the same ones; drawn when it is left out
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// What came of it, as one JSON object.
#[derive(Serialize)]
struct Loaded<'a> {
    seconds: u64,
    connections: u32,
    /// How many trips a second were wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u32>,
    kills: u32,
    #[serde(flatten)]
    seen: &'a Seen,
    trips_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// What the audit says, when the server was its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Audited>,
}

#[derive(Serialize)]
struct Audited {
    clean: bool,
    unfinished: usize,
    differences: u64,
    log_findings: usize,
}

/// Books, asks again, and looks.
///
/// # Errors
/// When the server cannot be started or does not come back, or its data cannot be read.
pub(super) async fn run(args: &LoadArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| SystemIds.fresh(SystemClock.now()).as_u64_pair().1);
    let spinner = progress::spinner("booking over HTTP");
    let loaded = match &args.url {
        Some(url) => {
            let server = watch::channel(client::authority(url)?).1;
            if Client::new(server.clone()).ask(Method::GET, "/livez", None, None).await.is_none() {
                bail!("nobody answers at {url}: start a server with `booking serve`, or leave --url out");
            }
            load(args, seed, server).await.map(|seen| (seen, None))
        }
        None => own(args, seed, common).await.map(|(seen, audit)| (seen, Some(audit))),
    };
    spinner.finish_and_clear();
    let (seen, audit) = loaded?;
    let ink = Ink::of_stdout();
    say::part(summary(args, &seen, audit.as_ref(), ink));
    let rate =
        f64::from(u32::try_from(seen.accepted).unwrap_or(u32::MAX)) / f64::from(u32::try_from(args.seconds)?);
    let millis = |percent| f64::from(u32::try_from(seen.percentile(percent)).unwrap_or(u32::MAX)) / 1_000.0;
    let loaded = Loaded {
        seconds: args.seconds,
        connections: args.connections,
        rate: args.rate,
        kills: args.kills,
        seen: &seen,
        trips_per_second: (rate * 10.0).round() / 10.0,
        p50_ms: millis(50.0),
        p99_ms: millis(99.0),
        audit: audit.as_ref().map(|audit| Audited {
            clean: audit.is_clean(),
            unfinished: audit.unfinished.len(),
            differences: audit.difference_count,
            log_findings: audit.log.findings.len(),
        }),
    };
    if common.json {
        report::json(&loaded)?;
    }
    let good = seen.is_clean() && audit.is_none_or(|audit| audit.is_clean());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the server itself, kills it as often as it is told, and audits its data.
async fn own(args: &LoadArgs, seed: u64, common: &Common) -> anyhow::Result<(Seen, Audit)> {
    let place = common.place()?;
    let mut child = Child::start(common).await?;
    let (tell, address) = watch::channel(child.address().to_owned());
    let load = load(args, seed, address);
    tokio::pin!(load);
    let pause = Duration::from_secs(args.seconds) / (args.kills + 1);
    for kill in 1..=args.kills {
        let moment = SystemClock.now().plus(pause);
        tokio::select! {
            biased;
            early = &mut load => bail!("the clients ended before kill {kill}: {:?}", early?),
            () = SystemClock.wait_until(moment) => {}
        }
        let again = async {
            child.kill().await?;
            Child::start(common).await
        };
        child = tokio::select! {
            biased;
            again = again => again?,
            early = &mut load => bail!("the clients ended while the server was away: {:?}", early?),
        };
        let _ = tell.send(child.address().to_owned());
    }
    let seen = load.await?;
    child.kill().await?;
    let audit = audit(&place).await.with_context(|| format!("the data in {place}"))?;
    Ok((seen, audit))
}

/// All clients, until the time is over and every trip was looked at.
async fn load(args: &LoadArgs, seed: u64, server: watch::Receiver<String>) -> anyhow::Result<Seen> {
    let until = SystemClock.now().plus(Duration::from_secs(args.seconds));
    let pace = Arc::new(Pace::new(SystemClock.now(), args.rate));
    let mut clients = JoinSet::new();
    for _ in 0..args.connections {
        clients.spawn(Guests::new(server.clone(), seed, Arc::clone(&pace)).book(until));
    }
    let mut seen = Seen::new();
    while let Some(one) = clients.join_next().await {
        seen.add(one??);
    }
    Ok(seen)
}

fn summary(args: &LoadArgs, seen: &Seen, audit: Option<&Audit>, ink: Ink) -> String {
    let killed =
        if args.kills > 0 { format!(", the server killed {} times", args.kills) } else { String::new() };
    let title = format!("{} s of load over HTTP, {} clients{killed}", args.seconds, args.connections);
    let check = |good: bool, text: String| {
        let mark = if good { ink.paint(Tone::Good, "✓") } else { ink.paint(Tone::Bad, "✗") };
        format!("  {mark} {text}\n")
    };
    let ends: Vec<_> = seen.ends.iter().map(|(end, n)| format!("{} {end}", say::count(*n))).collect();
    let mut text = format!(
        "\n  {}\n\n  accepted     {} trips, p50 {}, p99 {}\n  asked again  {} times: the outcome was unknown, or the server away\n  ended        {}\n\n",
        ink.paint(Tone::Strong, title),
        say::count(seen.accepted),
        say::micros(seen.percentile(50.0)),
        say::micros(seen.percentile(99.0)),
        say::count(seen.asked_again),
        if ends.is_empty() { "none".to_owned() } else { ends.join(", ") },
    );
    text += &check(seen.lost.is_empty(), format!("{} accepted trips are lost", seen.lost.len()));
    text += &check(
        seen.unfinished == 0,
        format!("{} accepted trips have not ended", say::count(seen.unfinished)),
    );
    text +=
        &check(seen.unexpected.is_empty(), format!("{} kinds of unexpected answers", seen.unexpected.len()));
    for (answer, n) in &seen.unexpected {
        text += &format!("      {} of {answer}\n", say::count(*n));
    }
    if let Some(audit) = audit {
        let what =
            format!("{} differences between log, bank and read models", say::count(audit.difference_count));
        text += &check(audit.is_clean(), what);
        text += &audit.differences.iter().take(20).map(|line| format!("      {line}\n")).collect::<String>();
        text += &audit.log.findings.iter().take(20).map(|line| format!("      {line}\n")).collect::<String>();
    }
    text
}
