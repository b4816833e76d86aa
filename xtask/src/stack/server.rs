//! What every server of a stack has in common: it is prepared once, started, asked until it answers, found again by the
//! next command, and ended. What is special about one is behind the trait.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{
    place::{Place, Record, remove_file},
    ports,
    process::{self, Signal},
};
use crate::shell::say;

/// How long a server may take until it answers.
const PATIENCE: u32 = 120;
/// How long the remains of one that died may keep the next from starting.
const REMAINS: u32 = 10;
/// How long it may take to end by itself.
const FAREWELL: u32 = 20;

/// One kind of server.
pub(crate) trait Server: Sync {
    /// Its name on the command line and of its files.
    fn name(&self) -> &'static str;

    /// The environment variable in which tests look for its address.
    fn variable(&self) -> &'static str;

    /// How many ports it listens on.
    fn ports(&self) -> usize;

    /// Has all its programs there.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    fn install(&self, cache: &Path) -> Result<()>;

    /// Makes fresh data, and answers its folder.
    ///
    /// # Errors
    /// What went wrong.
    fn prepare(&self, place: &Place, ports: &[u16]) -> Result<PathBuf>;

    /// What starts it on its data. The folder of the data stands in its arguments.
    ///
    /// # Errors
    /// A program is missing.
    fn command(&self, place: &Place, data: &str) -> Result<Command>;

    /// Asks it a question that only a server can answer that is ready for clients.
    ///
    /// # Errors
    /// Why there was no answer.
    fn ask(&self, record: &Record) -> Result<()>;

    /// Where clients find it.
    fn address(&self, record: &Record) -> String;

    /// What else tests are told of one that runs: the variable, and its value.
    fn more(&self, _record: &Record) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Where its programs are, for tests that run a server of their own, and the variable that tells them.
    fn programs(&self, _cache: &Path) -> Option<(&'static str, PathBuf)> {
        None
    }

    /// How it is told to end without waiting for its clients.
    fn farewell(&self) -> Signal;
}

/// How a server is.
pub(crate) enum State {
    Absent,
    Dead(Record),
    Silent(Record, anyhow::Error),
    Ready(Record),
}

/// Looks how it is, once.
///
/// # Errors
/// Its record is unreadable.
pub(crate) fn state(server: &dyn Server, place: &Place) -> Result<State> {
    let Some(record) = place.record()? else { return Ok(State::Absent) };
    if !process::runs(record.pid, &record.data) {
        return Ok(State::Dead(record));
    }
    Ok(match server.ask(&record) {
        Ok(()) => State::Ready(record),
        Err(why) => State::Silent(record, why),
    })
}

/// Has it running: the one that runs, or the one that died started again on its data and its ports, or a new one. Answers
/// what is known of it, and whether it ran already.
///
/// # Errors
/// Why it does not run, with the end of its log.
pub(crate) fn up(server: &dyn Server, place: &Place) -> Result<(Record, bool)> {
    let record = match state(server, place)? {
        State::Ready(record) => return Ok((record, true)),
        State::Silent(record, _) => {
            answers(server, &record, None)?;
            record
        }
        State::Dead(record) => revive(server, place, record)?,
        State::Absent => first(server, place)?,
    };
    Ok((record, false))
}

/// Starts it on fresh data.
fn first(server: &dyn Server, place: &Place) -> Result<Record> {
    server.install(&place.cache)?;
    let ports = ports::free(server.ports(), &place.given()?)?;
    remove_file(&place.log)?;
    let data = server.prepare(place, &ports)?;
    let data = data.to_str().context("its folder has a strange name")?.to_owned();
    let mut record = Record { pid: 0, ports, data, log: place.log.display().to_string() };
    start(server, place, &mut record)?;
    Ok(record)
}

/// Starts it again on the data of one that died. What that one left behind may be in the way for a moment.
fn revive(server: &dyn Server, place: &Place, mut record: Record) -> Result<Record> {
    say(&format!("{} has died; starting it again on its data\n", server.name()));
    // A process that was killed lets go of its ports a moment after it cannot be seen any more.
    process::wait_until(REMAINS, || record.ports.iter().all(|port| ports::is_free(*port)));
    let mut outcome = Ok(());
    process::wait_until(REMAINS, || {
        outcome = start(server, place, &mut record);
        !matches!(outcome, Err(Failed::Ended(_)))
    });
    outcome?;
    Ok(record)
}

/// Why a server that was started does not run.
#[derive(Debug)]
enum Failed {
    /// It ended by itself.
    Ended(anyhow::Error),
    Other(anyhow::Error),
}

impl From<Failed> for anyhow::Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Ended(why) | Failed::Other(why) => why,
        }
    }
}

fn start(server: &dyn Server, place: &Place, record: &mut Record) -> Result<(), Failed> {
    let mut spawned = || {
        if let Some(port) = record.ports.iter().find(|port| !ports::is_free(**port)) {
            bail!(
                "another program took its port {port}; `cargo xtask stack down` forgets its data and its port"
            );
        }
        let child = process::spawn(&mut server.command(place, &record.data)?, &place.log)?;
        record.pid = child.id();
        place.remember(record)?;
        Ok(child)
    };
    let child = spawned().map_err(Failed::Other)?;
    answers(server, record, Some(child))
}

/// Waits until it answers, or has ended.
fn answers(server: &dyn Server, record: &Record, mut child: Option<Child>) -> Result<(), Failed> {
    let (mut ended, mut why) = (None, None);
    process::wait_until(PATIENCE, || {
        ended = child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if ended.is_none() {
            why = server.ask(record).err();
        }
        ended.is_some() || why.is_none()
    });
    match (ended, why) {
        (Some(status), _) => {
            Err(Failed::Ended(anyhow!("it ended at once, {status}; {}", last_words(&record.log))))
        }
        (None, Some(why)) => Err(Failed::Other(anyhow!(
            "it did not answer within {PATIENCE} s ({why:#}); {}",
            last_words(&record.log)
        ))),
        (None, None) => Ok(()),
    }
}

/// Ends it and removes its data. Whether there was anything to end.
///
/// # Errors
/// It does not end, or its data cannot be removed.
pub(crate) fn down(server: &dyn Server, place: &Place) -> Result<bool> {
    let Some(record) = place.record()? else { return Ok(false) };
    process::end(record.pid, &record.data, server.farewell(), FAREWELL)
        .with_context(|| format!("{} stays", server.name()))?;
    place.forget(Path::new(&record.data))?;
    Ok(true)
}

/// The end of a log, and where the rest is.
fn last_words(log: &str) -> String {
    const LINES: usize = 15;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    format!("the end of its log, {log}:\n{}", last.join("\n"))
}
