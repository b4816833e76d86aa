//! A process of the domain, from the outside: started, watched, signalled, ended. It never outlives the value.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
    sync::watch,
};

use crate::{node::Said, place::Place};

/// How long one may take to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(40);

/// A running process.
pub(crate) struct Process {
    pub(crate) name: String,
    child: Child,
    said: watch::Receiver<Said>,
}

/// How a process differs from the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    /// The broker it is told of, when that is not the place's.
    pub(crate) kafka: Option<String>,
    /// Takes every shard.
    pub(crate) usurp: bool,
    /// Drops what it begins.
    pub(crate) storm: bool,
}

impl Process {
    /// Starts one. What it logs goes to a file of its name in that folder.
    pub(crate) fn start(
        program: &Path,
        name: &str,
        place: &Place,
        manner: &Manner,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let kafka = manner.kafka.as_deref().unwrap_or(&place.kafka);
        let mut command = Command::new(program);
        command.args(["node", "--name", name, "--kafka", kafka, "--prefix", &place.prefix]);
        command.args(["--postgres", &place.url()]);
        command.args(manner.usurp.then_some("--usurp")).args(manner.storm.then_some("--storm"));
        let log: PathBuf = logs.join(format!("{name}.log"));
        let log = File::create(&log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| program.display().to_string())?;
        let (tell, said) = watch::channel(Said::default());
        let lines = child.stdout.take().context("no standard output")?;
        tokio::spawn(listen(lines, tell));
        Ok(Self { name: name.to_owned(), child, said })
    }

    /// What it said last.
    pub(crate) fn said(&self) -> Said {
        self.said.borrow().clone()
    }

    /// Whether it serves anything.
    pub(crate) fn is_owner(&self) -> bool {
        !self.said.borrow().serving.is_empty()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} has ended", self.name))?;
        kill_process(pid, signal).with_context(|| format!("{} cannot be signalled", self.name))
    }

    /// Ends it as `kill -9` does.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("{} cannot be killed", self.name))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let ended = tokio::time::timeout(FAREWELL, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} does not end when it is asked to", self.name))??;
        anyhow::ensure!(status.success(), "{} was asked to end, and ended with {status}", self.name);
        Ok(())
    }
}

/// Keeps what it says; when it says no more, it serves nothing.
async fn listen(lines: ChildStdout, tell: watch::Sender<Said>) {
    let mut lines = BufReader::new(lines).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(said) = serde_json::from_str(&line) {
            tell.send_replace(said);
        }
    }
    tell.send_modify(|said| said.serving.clear());
}
