//! Servers of our own, to do harm to: a stack of `cargo xtask stack` under a name that nobody else has. It ends with the
//! value. Knows how to end a server and how to have it back, not why.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

/// Names the program that is `cargo xtask`, where that is built already.
const XTASK: &str = "PALINODE_XTASK";

/// How long a server may take to end, and how often it is looked for.
const FAREWELL: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// A server of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Kafka,
    Postgres,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Postgres => "postgres",
        }
    }
}

/// What the stack says of one of its servers.
#[derive(Debug, Clone, Deserialize)]
struct Running {
    server: String,
    pid: i32,
    ports: Vec<u16>,
    address: String,
    log: PathBuf,
}

/// A Kafka and a PostgreSQL that nobody else uses.
pub(crate) struct Servers {
    name: String,
    running: Mutex<Vec<Running>>,
}

impl Servers {
    /// Has both running.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let servers = Self { name: format!("chaos-{}", std::process::id()), running: Mutex::default() };
        servers.up()?;
        Ok(servers)
    }

    /// Has both running: those that were ended are started again, on their data and their ports.
    pub(crate) fn up(&self) -> anyhow::Result<()> {
        self.stack("up", &[])?;
        let said = self.stack("status", &["--json"])?;
        let running = serde_json::from_str(&said).with_context(|| format!("the stack said {said:?}"))?;
        *self.all() = running;
        Ok(())
    }

    /// Where the broker is.
    pub(crate) fn kafka(&self) -> anyhow::Result<String> {
        Ok(self.running(Which::Kafka)?.address)
    }

    /// The URL of a database of a superuser.
    pub(crate) fn postgres(&self) -> anyhow::Result<String> {
        Ok(self.running(Which::Postgres)?.address)
    }

    /// Where the broker listens for those who come through a proxy, and where it tells them to come to.
    pub(crate) fn behind(&self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        match *self.running(Which::Kafka)?.ports {
            [_, _, inner, outer] => Ok((here(inner), here(outer))),
            _ => bail!("the broker has no port for a proxy"),
        }
    }

    /// The logs of the servers.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        self.all().iter().map(|running| running.log.clone()).collect()
    }

    /// Ends a server by a signal, waits until it is gone, and has it back on its data.
    pub(crate) async fn restart(&self, which: Which, signal: Signal) -> anyhow::Result<()> {
        let number = self.running(which)?.pid;
        let pid = Pid::from_raw(number).context("a server without a process")?;
        kill_process(pid, signal).with_context(|| format!("{} cannot be signalled", which.name()))?;
        let gone = async {
            while runs(number) {
                sleep(LOOK).await;
            }
        };
        timeout(FAREWELL, gone).await.with_context(|| format!("{} does not end", which.name()))?;
        tokio::task::block_in_place(|| self.up())
    }

    fn all(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self, which: Which) -> anyhow::Result<Running> {
        let found = self.all().iter().find(|running| running.server == which.name()).cloned();
        found.with_context(|| format!("the stack has no {}", which.name()))
    }

    fn stack(&self, verb: &str, more: &[&str]) -> anyhow::Result<String> {
        let mut command = match std::env::var_os(XTASK) {
            Some(program) => Command::new(program),
            None => {
                let mut cargo = Command::new("cargo");
                cargo.args(["run", "--quiet", "--package", "xtask", "--"]);
                cargo
            }
        };
        command.args(["stack", verb, "--name", &self.name]).args(more).stdin(Stdio::null());
        let output = command.output().context("the stack cannot be asked")?;
        if !output.status.success() {
            bail!("stack {verb}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Err(e) = self.stack("down", &[]) {
            return crate::say(format_args!("the servers of {} are left behind: {e:#}", self.name));
        }
        let logs = self.logs();
        let folder = logs.first().and_then(|log| log.parent());
        if let Some(Err(e)) = folder.map(std::fs::remove_dir_all) {
            crate::say(format_args!("the logs of {} are left behind: {e}", self.name));
        }
    }
}

/// Whether a process runs: one that has ended and that nobody has asked about has no words any more.
fn runs(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty())
}

fn here(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
