//! The servers of one run of the tests, or of the benchmark: those whose address is given in the environment, those that
//! ran, those that are started for it (and ended after it), and those that cannot run.

use std::env;

use anyhow::{Result, bail};

use super::targets::Suite;
use crate::{
    shell::say,
    stack::{Server, Stack, Started},
};

/// What became of each server.
pub(crate) struct Servers {
    stack: Stack,
    all: Vec<Known>,
    programs: Vec<(&'static str, String)>,
}

struct Known {
    server: &'static dyn Server,
    /// What tests are told of it, its address first; or why it does not run.
    told: Result<Vec<(&'static str, String)>>,
    /// Whether it was started for this run.
    ours: bool,
}

impl Servers {
    /// Has as many of these running in this stack as can run.
    ///
    /// # Errors
    /// The stack cannot be locked.
    pub(crate) fn up(stack: Stack, wanted: &[&'static dyn Server]) -> Result<Self> {
        let (given, wanted): (Vec<_>, Vec<_>) =
            wanted.iter().copied().partition(|server| env::var_os(server.variable()).is_some());
        let mut all: Vec<Known> = given.into_iter().map(Known::given).collect();
        all.extend(stack.up(&wanted)?.into_iter().map(Known::started));
        for Known { server, told, ours } in &all {
            let line = match told.as_deref().map(|told| told.first().map_or("", |(_, address)| address)) {
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
        let told = self.all.iter().filter_map(|known| known.told.as_deref().ok()).flatten();
        told.chain(&self.programs).map(|(variable, value)| (*variable, &**value)).collect()
    }

    /// Whether all are there.
    ///
    /// # Errors
    /// Why the first that does not run does not.
    pub(crate) fn all_run(&self) -> Result<()> {
        match self.all.iter().find_map(|known| Some((known, known.told.as_ref().err()?))) {
            Some((known, why)) => bail!("{} does not run: {why:#}", known.server.name()),
            None => Ok(()),
        }
    }

    /// Whether all that this suite needs are there.
    pub(crate) fn run(&self, suite: &Suite) -> bool {
        self.needed(suite).all(|known| known.told.is_ok())
    }

    /// What is missing for this suite.
    pub(crate) fn why_not(&self, suite: &Suite) -> String {
        let missing = self.needed(suite).filter_map(|known| {
            let why = known.told.as_ref().err()?;
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
        let variable = server.variable();
        Self { server, told: Ok(vec![(variable, env::var(variable).unwrap_or_default())]), ours: false }
    }

    fn started(Started { server, outcome }: Started) -> Self {
        match outcome {
            Ok((told, ran)) => Self { server, told: Ok(told), ours: !ran },
            Err(why) => Self { server, told: Err(why), ours: false },
        }
    }
}
