//! `booking replay`: books every row of the public data set. A trip's id comes from its row, so a second replay finds
//! every trip booked.

use std::{cell::RefCell, process::ExitCode, sync::Arc};

use anyhow::Context;
use palinode::{Clock, SystemClock};
use serde::Serialize;

use super::{
    Common, ReplayArgs,
    drive::drive,
    progress,
    report::{self, Counts},
    say::{self, Ink, Tone},
    stop::Stop,
    tally::Speed,
};
use crate::{
    trips::row::{self, RowError},
    world::World,
};

/// Malformed rows shown; the rest is only counted.
const SHOWN: usize = 20;

#[derive(Serialize)]
struct Replayed<'a> {
    rows: u64,
    #[serde(flatten)]
    counts: Counts<'a>,
    /// The numbers of the lines that are no bookings.
    malformed: Vec<u64>,
    /// Trips that had been booked by an earlier replay.
    again: u64,
    #[serde(flatten)]
    speed: Speed,
}

/// Books the rows of a file.
///
/// # Errors
/// When the file or the data cannot be used, or the node stops.
pub(super) async fn run(args: &ReplayArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let named = || format!("{}", args.file.display());
    let limit = usize::try_from(args.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let rows = u64::try_from(row::open(&args.file).with_context(named)?.take(limit).count())?;
    let place = common.place()?;
    let world = Arc::new(World::open(&place, args.hold.0).await?);
    let bar = progress::bar(rows, "booking rows");
    let malformed = RefCell::new(Vec::new());
    let plans = row::open(&args.file).with_context(named)?.take(limit).filter_map(|row| match row {
        Ok(Ok(plan)) => Some(Ok(plan)),
        Ok(Err(error)) => {
            bar.inc(1);
            malformed.borrow_mut().push(error);
            None
        }
        Err(e) => Some(Err(e.into())),
    });
    let stop = Stop::listen();
    let (began, commits) = (SystemClock.now(), world.commits());
    let tally = drive(&world, plans, args.pace.concurrency, |_| {}, |_| bar.inc(1), &stop).await;
    bar.finish_and_clear();
    let took = SystemClock.now().since(began);
    let commits = world.commits().zip(commits).map(|(now, before)| now - before);
    World::close(world).await;
    let (tally, malformed) = (tally?, malformed.into_inner());
    let speed = Speed::of(tally.trips() - tally.again, commits, took);

    let ink = Ink::of_stdout();
    let done = tally.trips() + u64::try_from(malformed.len())?;
    let title = format!("{} rows replayed in {} s", say::count(done), speed.seconds);
    say::part(format!("\n  {}", ink.paint(Tone::Strong, title)));
    say::part(stop.left(done, rows, ink));
    say::part(report::outcomes(&tally, ink));
    if tally.again > 0 {
        let again =
            format!("{} of them were booked before: nothing was booked twice.", say::count(tally.again));
        say::part(format!("  {}", ink.paint(Tone::Good, again)));
    }
    if tally.again < tally.trips() {
        say::part(report::speed(&tally, &speed, ink));
    }
    say::part(refused_rows(&malformed, ink));
    say::part(report::place(&place));
    if common.json {
        let malformed = malformed.iter().map(|error| error.line).collect();
        report::json(&Replayed { rows, counts: Counts::of(&tally), malformed, again: tally.again, speed })?;
    }
    Ok(if tally.stuck == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn refused_rows(malformed: &[RowError], ink: Ink) -> String {
    if malformed.is_empty() {
        return String::new();
    }
    let title = format!("{} rows are no bookings", say::count(u64::try_from(malformed.len()).unwrap_or(0)));
    let mut text = format!("  {}\n", ink.paint(Tone::Bad, title));
    for error in malformed.iter().take(SHOWN) {
        text.push_str(&format!("    {error}\n"));
    }
    if malformed.len() > SHOWN {
        text.push_str(&format!("    and {} more\n", malformed.len() - SHOWN));
    }
    text
}
