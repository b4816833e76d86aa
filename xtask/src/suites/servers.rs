//! The servers of one run of the tests, or of the benchmark: those whose address is given in the environment, those that
//! ran, those that are started for it (and ended after it), and those that cannot run.

use std::env;

use anyhow::{Result, bail};

use super::targets::Suite;
use crate::{
    shell::say,
    stack::{SERVERS, Server, Stack, Started},
};

/// What became of each server.
pub(crate) struct Servers {
    stack: Stack,
    all: Vec<Known>,
    programs: Vec<(&'static str, String)>,
}

struct Known {
    server: &'static dyn Server,
    /// Where it is, or why it is nowhere.
    address: Result<String>,
    /// Whether it was started for this run.
    ours: bool,
}

impl Servers {
    /// Has as many of this stack running as can run.
    ///
    /// # Errors
    /// The stack cannot be locked.
    pub(crate) fn up(stack: Stack) -> Result<Self> {
        let (given, wanted): (Vec<_>, Vec<_>) =
            SERVERS.into_iter().partition(|server| env::var_os(server.variable()).is_some());
        let mut all: Vec<Known> = given.into_iter().map(Known::given).collect();
        all.extend(stack.up(&wanted)?.into_iter().map(Known::started));
        for Known { server, address, ours } in &all {
            let line = match address {
                Ok(address) if *ours => format!("{address}, started for this run"),
                Ok(address) => format!("{address}, ran already"),
                Err(why) => format!("does not run: {why:#}"),
            };
            say(&format!("{}: {line}\n", server.name()));
        }
        let programs = all.iter().filter_map(|known| stack.programs(known.server)).collect();
        Ok(Self { stack, all, programs })
    }

    /// What tests are told of them.
    pub(crate) fn env(&self) -> Vec<(&str, &str)> {
        let running = self.all.iter().filter_map(|known| Some((known, known.address.as_deref().ok()?)));
        let programs = self.programs.iter().map(|(variable, folder)| (*variable, &**folder));
        running.map(|(known, address)| (known.server.variable(), address)).chain(programs).collect()
    }

    /// Whether all are there.
    ///
    /// # Errors
    /// Why the first that does not run does not.
    pub(crate) fn all_run(&self) -> Result<()> {
        match self.all.iter().find_map(|known| Some((known, known.address.as_ref().err()?))) {
            Some((known, why)) => bail!("{} does not run: {why:#}", known.server.name()),
            None => Ok(()),
        }
    }

    /// Whether all that this suite needs are there.
    pub(crate) fn run(&self, suite: &Suite) -> bool {
        self.needed(suite).all(|known| known.address.is_ok())
    }

    /// What is missing for this suite.
    pub(crate) fn why_not(&self, suite: &Suite) -> String {
        let missing = self.needed(suite).filter_map(|known| {
            let why = known.address.as_ref().err()?;
            Some(format!("{} does not run: {why:#}", known.server.name()))
        });
        missing.collect::<Vec<_>>().join("; ")
    }

    fn needed(&self, suite: &Suite) -> impl Iterator<Item = &Known> {
        self.all.iter().filter(|known| suite.servers.contains(&known.server.name()))
    }

    /// Ends those that were started for this run, and no other.
    ///
    /// # Errors
    /// One does not end.
    pub(crate) fn down(self) -> Result<()> {
        let ours: Vec<_> = self.all.iter().filter(|known| known.ours).map(|known| known.server).collect();
        self.stack.down(&ours)
    }
}

impl Known {
    fn given(server: &'static dyn Server) -> Self {
        Self { server, address: Ok(env::var(server.variable()).unwrap_or_default()), ours: false }
    }

    fn started(Started { server, outcome }: Started) -> Self {
        match outcome {
            Ok((address, ran)) => Self { server, address: Ok(address), ours: !ran },
            Err(why) => Self { server, address: Err(why), ours: false },
        }
    }
}
