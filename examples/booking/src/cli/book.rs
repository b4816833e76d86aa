//! The command without a name: books made-up trips and shows what became of them.

use std::{process::ExitCode, sync::Arc};

use palinode::{Clock, SystemClock};

use super::{
    BookArgs, Common,
    drive::drive,
    progress,
    report::{self, Counts, Latency},
    say::{self, Ink, Tone},
    stop::Stop,
    tally::Speed,
};
use crate::{numbers, trips::generate::generated, world::World};

/// Books the next trips of the seed.
///
/// # Errors
/// When the data cannot be used, or the node stops.
pub(super) async fn run(args: &BookArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    place.make()?;
    let world = Arc::new(World::open(&place, args.hold.0).await?);
    let first = numbers::reserve(place.folder(), args.seed, args.trips)?;
    let bar = progress::bar(args.trips, "booking trips");
    let stop = Stop::listen();
    let (began, commits) = (SystemClock.now(), world.commits());
    let plans = (first..first + args.trips).map(|n| Ok(generated(args.seed, n)));
    let tally = drive(&world, plans, args.pace.concurrency, |_| {}, |_| bar.inc(1), &stop).await;
    bar.finish_and_clear();
    let (commits, took) = (world.commits().zip(commits), SystemClock.now().since(began));
    World::close(world).await;
    let tally = tally?;
    let speed = Speed::of(tally.trips(), commits.map(|(now, before)| now - before), took);

    let ink = Ink::of_stdout();
    let title = format!("{} trips booked in {} s", say::count(tally.trips()), speed.seconds);
    say::part(format!("\n  {}", ink.paint(Tone::Strong, title)));
    say::part(stop.left(tally.trips(), args.trips, ink));
    say::part(report::outcomes(&tally, ink));
    say::part(report::speed(&tally, &speed, ink));
    if let Some(trip) = tally.example {
        say::part(report::example(&place, trip, ink).await);
    }
    say::part(report::place(&place));
    say::part(report::next(tally.example, &place, common));
    if common.json {
        report::json(&report::Run {
            trips: tally.trips(),
            counts: Counts::of(&tally),
            speed,
            latency_ms: Latency::of(&tally),
            data: place.to_string(),
        })?;
    }
    Ok(if tally.stuck == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
