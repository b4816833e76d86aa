//! `booking crash`: starts itself under load, kills it with SIGKILL at a random moment, starts it again on the same data,
//! and so on; then lets it finish, and audits what is there. The client asks again for every trip it ever asked for.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use palinode::{Clock, Ids, SystemClock, SystemIds};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{
    Common, CrashArgs, progress, report,
    say::{self, Ink, Tone},
    work::ACCEPTED,
};
use crate::{
    audit::{Audit, audit},
    domain::TripId,
    numbers,
    trips::id,
};

/// The seed of the trips booked here, apart from the one of ordinary runs.
const SEED: u64 = 0xdead;
/// Trips a run may begin: more than it gets to before it is killed.
const AHEAD: u64 = 20_000;
/// Trips worked on at a time: so many may have been begun after the last one that was heard to be accepted.
const CONCURRENCY: u64 = 256;
/// It is killed so many milliseconds after its first trip was accepted: at least, and fewer than.
const MOMENT: (u64, u64) = (50, 900);
/// How long a run may take to accept its first trip.
const FIRST: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Crashed {
    kills: u32,
    /// Trips that were accepted, in all runs together.
    accepted: usize,
    /// Trips that were accepted and have not ended.
    lost: usize,
    /// What the audit found wrong: doubled holds, charges, read models.
    differences: u64,
    log_findings: usize,
    unfinished: usize,
    charges: u64,
    dead_records: u64,
    clean: bool,
    seconds: f64,
}

/// The trips of this crash test.
struct Load {
    program: PathBuf,
    data: PathBuf,
    from: u64,
    until: u64,
    accepted: BTreeSet<TripId>,
}

/// Kills, starts again, and looks.
///
/// # Errors
/// When it cannot be started, or the data cannot be read.
pub(super) async fn run(args: &CrashArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    let data = place.only_folder("crash")?.to_owned();
    place.make()?;
    let from = numbers::reserve(&data, SEED, AHEAD.saturating_mul(u64::from(args.kills) + 1))?;
    let program = std::env::current_exe()?;
    let mut load = Load { program, data: data.clone(), from, until: from, accepted: BTreeSet::new() };
    let (ink, began) = (Ink::of_stdout(), SystemClock.now());
    say::line("");
    for kill in 1..=args.kills {
        let after = load.run_and_kill().await?;
        let (trips, after) = (say::count(count(load.accepted.len())), say::micros(micros(after)));
        say::line(format!(
            "  {} {kill}  after {after:>8}   {trips} trips accepted so far",
            ink.paint(Tone::Bad, "kill")
        ));
    }
    let spinner = progress::spinner("started again, finishing what was accepted");
    let finished = load.run_to_the_end().await;
    spinner.set_message("reading the whole log");
    let audited = match finished {
        Ok(()) => audit(&place).await,
        Err(e) => Err(e),
    };
    spinner.finish_and_clear();
    let audit = audited?;
    let seconds = SystemClock.now().since(began).as_secs_f64();
    let crashed = crashed(args.kills, &load.accepted, &audit, seconds);
    say::part(verdict(&crashed, &audit, ink));
    if common.json {
        report::json(&crashed)?;
    }
    let good = crashed.clean && crashed.lost == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Load {
    /// Runs until a random moment after the first accepted trip, and kills. Returns how long after.
    async fn run_and_kill(&mut self) -> anyhow::Result<Duration> {
        self.until = self.reached() + AHEAD;
        let (mut child, mut lines) = self.start()?;
        let first = tokio::select! {
            line = lines.next_line() => line?,
            () = SystemClock.wait_until(SystemClock.now().plus(FIRST)) => bail!("no trip was accepted in {FIRST:?}"),
        };
        let Some(first) = first else { bail!("it ended before it accepted a trip: {}", child.wait().await?) };
        self.take(&first);
        let moment = random_moment();
        let kill = SystemClock.wait_until(SystemClock.now().plus(moment));
        tokio::pin!(kill);
        loop {
            tokio::select! {
                biased;
                () = &mut kill => break,
                line = lines.next_line() => match line? {
                    Some(line) => self.take(&line),
                    None => break, // it did everything it was asked for; it is started again all the same
                },
            }
        }
        child.start_kill()?;
        while let Some(line) = lines.next_line().await? {
            self.take(&line);
        }
        child.wait().await?;
        Ok(moment)
    }

    /// Asks again for every trip that may have been begun, and waits until all have ended.
    async fn run_to_the_end(&mut self) -> anyhow::Result<()> {
        self.until = self.reached() + CONCURRENCY;
        let (mut child, mut lines) = self.start()?;
        while let Some(line) = lines.next_line().await? {
            self.take(&line);
        }
        let ended = child.wait().await?;
        if !ended.success() {
            bail!("the last run, which was not killed, ended with {ended}");
        }
        Ok(())
    }

    fn start(&self) -> anyhow::Result<(Child, Lines<BufReader<ChildStdout>>)> {
        let mut child = Command::new(&self.program)
            .arg("work")
            .args(["--seed", &SEED.to_string(), "--from", &self.from.to_string()])
            .args(["--until", &self.until.to_string(), "--concurrency", &CONCURRENCY.to_string()])
            .arg("--data")
            .arg::<&Path>(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))?;
        let stdout = child.stdout.take().context("the child has no stdout")?;
        Ok((child, BufReader::new(stdout).lines()))
    }

    /// A line that was cut by the kill is no acceptance.
    fn take(&mut self, line: &str) {
        let id = line.strip_prefix(ACCEPTED).and_then(|rest| rest.trim().parse::<TripId>().ok());
        self.accepted.extend(id);
    }

    /// The number after the last trip that was accepted.
    fn reached(&self) -> u64 {
        let accepted = |n: &u64| self.accepted.contains(&id::of_generated(SEED, *n));
        (self.from..self.until).rev().find(accepted).map_or(self.from, |n| n + 1)
    }
}

fn random_moment() -> Duration {
    let random = SystemIds.fresh(SystemClock.now()).as_u64_pair().1;
    Duration::from_millis(MOMENT.0 + random % (MOMENT.1 - MOMENT.0))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn crashed(kills: u32, accepted: &BTreeSet<TripId>, audit: &Audit, seconds: f64) -> Crashed {
    Crashed {
        kills,
        accepted: accepted.len(),
        lost: accepted.difference(&audit.ended).count(),
        differences: audit.difference_count,
        log_findings: audit.log.findings.len(),
        unfinished: audit.unfinished.len(),
        charges: audit.charges,
        dead_records: audit.log.counts.dead,
        clean: audit.is_clean(),
        seconds: (seconds * 1_000.0).round() / 1_000.0,
    }
}

fn verdict(crashed: &Crashed, audit: &Audit, ink: Ink) -> String {
    let check = |good: bool, text: String| {
        let mark = if good { ink.paint(Tone::Good, "✓") } else { ink.paint(Tone::Bad, "✗") };
        format!("  {mark} {text}\n")
    };
    let n = |n: usize| say::count(count(n));
    let mut text = String::from("\n");
    let ended = crashed.accepted - crashed.lost;
    text +=
        &check(crashed.lost == 0, format!("{} of {} accepted trips ended", n(ended), n(crashed.accepted)));
    text +=
        &check(audit.unfinished.is_empty(), format!("{} trips are unfinished", n(audit.unfinished.len())));
    let wrong = say::count(audit.difference_count);
    text += &check(
        audit.difference_count == 0,
        format!(
            "{wrong} differences: holds, {} charges and read models agree with the journals",
            say::count(audit.charges)
        ),
    );
    let commits = say::count(audit.log.counts.commits);
    text += &check(
        audit.log.is_clean(),
        format!("{} findings in a log of {commits} commits", n(audit.log.findings.len())),
    );
    for line in audit.differences.iter().take(20) {
        text += &format!("    {}\n", ink.paint(Tone::Bad, line));
    }
    for finding in audit.log.findings.iter().take(20) {
        text += &format!("    {}\n", ink.paint(Tone::Bad, finding));
    }
    text
}
