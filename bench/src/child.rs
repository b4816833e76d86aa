//! What the benchmark runs as a process of its own: to be killed, to be started cold, to have its memory looked at.

use std::{ffi::OsStr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use palinode::{Aggregate, Answer};
use palinode_sagas::SagaClient;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command as Process},
};

use crate::{
    domain::{Command, Hotel, text, travel, trip},
    host,
    workload::{self, commands, node, one, sagas},
};

/// The line a child prints when it has done what it is for.
pub(crate) const DONE: &str = "done";

/// Acts as a child.
pub(crate) async fn run(what: &str, dir: &Path) -> anyhow::Result<()> {
    let (verb, number) = what.split_once('=').unwrap_or((what, "0"));
    let number: u64 = number.parse().context("the number of a child")?;
    match verb {
        "first" => first(dir).await,
        "fill" => fill(dir, number).await,
        "memory" => memory(dir, number).await,
        _ => bail!("a child does first, fill=N or memory=N, not {what:?}"),
    }
}

/// A node on an empty folder, and its first saga.
async fn first(dir: &Path) -> anyhow::Result<()> {
    let node = node(dir, travel()).await?;
    one(node.client().sagas("trip", &trip()), 0, false).await?;
    tell(DONE);
    node.stop(workload::STOP).await;
    Ok(())
}

/// Writes so many events, says so, and goes on writing until it is killed.
async fn fill(dir: &Path, events: u64) -> anyhow::Result<()> {
    let node = node(dir, travel()).await?;
    many(&node.client(), events).await?;
    tell(DONE);
    commands(&node.client(), events, 64, Duration::from_secs(600)).await?;
    Ok(())
}

/// Events by hundreds: as many as a command may have.
pub(crate) async fn many(client: &palinode::Client, events: u64) -> anyhow::Result<()> {
    let mut left = events.div_ceil(100);
    while left > 0 {
        let now = left.min(256);
        let asks = (0..now).map(|n| {
            let ask = Hotel::at((n % 1_000).to_string()).ask(Command::EnterTimes(100, text()));
            client.execute(ask).into_future()
        });
        for answer in futures_util::future::join_all(asks).await {
            if !matches!(answer, Answer::Accepted(_)) {
                bail!("a command was answered {answer:?}");
            }
        }
        left -= now;
    }
    Ok(())
}

/// Says its memory when idle, and at ten moments of so many sagas; and the CPU time of one saga.
async fn memory(dir: &Path, sagas_in_all: u64) -> anyhow::Result<()> {
    let node = node(dir, travel()).await?;
    tell(&format!("idle {}", host::memory_mb()));
    let (all, mut done, cpu) = (node.client().sagas("trip", &trip()), 0, host::cpu());
    for tenth in 1..=10 {
        while done < sagas_in_all * tenth / 10 {
            done += sagas(all.clone(), done, 256, Duration::from_secs(1), 0).await?.answers();
        }
        tell(&format!("busy {}", host::memory_mb()));
    }
    tell(&format!("cpu {}", (host::cpu() - cpu).as_secs_f64() * 1e6 / done as f64));
    tell(DONE);
    node.stop(workload::STOP).await;
    Ok(())
}

/// A line for the parent.
#[expect(clippy::print_stdout, reason = "a child talks to its parent")]
pub(crate) fn tell(line: &str) {
    println!("{line}");
}

/// A running child. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts this program as a child.
    pub(crate) fn start(what: &str, dir: &Path) -> anyhow::Result<Self> {
        Self::with([OsStr::new("--child"), OsStr::new(what), dir.as_os_str()])
    }

    /// Starts this program with these arguments.
    pub(crate) fn with<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> anyhow::Result<Self> {
        let mut process = Process::new(std::env::current_exe()?);
        process.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = process.spawn()?;
        let lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        Ok(Self { child, lines })
    }

    /// Tells it to do something, a line that it understands.
    #[cfg(feature = "servers")]
    pub(crate) async fn order(&mut self, line: &str) -> anyhow::Result<()> {
        use tokio::io::AsyncWriteExt as _;
        let orders = self.child.stdin.as_mut().context("no standard input")?;
        Ok(orders.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// Everything it says until it is done.
    pub(crate) async fn until_done(&mut self) -> anyhow::Result<Vec<String>> {
        let mut said = Vec::new();
        while let Some(line) = self.lines.next_line().await? {
            if line == DONE {
                return Ok(said);
            }
            said.push(line);
        }
        bail!("the child ended before it was done: {:?}", self.child.wait().await?)
    }

    /// Kills it, as `kill -9` does.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the child cannot be killed")
    }
}
