//! The server as a child of its own, which may be killed at any moment.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, bail};
use palinode::{Clock, SystemClock};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{self, Command},
};

use super::super::{Common, serve::LISTENING};

/// How long it may take to listen.
const LISTENS: Duration = Duration::from_secs(60);

/// A server. Killed when it is dropped.
pub(super) struct Child {
    process: process::Child,
    address: String,
}

impl Child {
    /// Starts it on the same data, on a port that is free: a fixed one could be taken meanwhile.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub(super) async fn start(common: &Common) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--hold", "5", "--connections", "2048"])
            .args(common.again())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the server cannot be started")?;
        let stdout = process.stdout.take().context("the server has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::select! {
            line = lines.next_line() => line?,
            () = SystemClock.wait_until(SystemClock.now().plus(LISTENS)) => bail!("the server does not listen after {LISTENS:?}"),
        };
        let Some(line) = line else {
            bail!("the server ended before it listened: {}", process.wait().await?)
        };
        let address =
            line.strip_prefix(LISTENING).with_context(|| format!("the server said {line:?}"))?.to_owned();
        Ok(Self { process, address })
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Kills it, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("the server cannot be killed")
    }
}
