//! `booking work`: books trips by number and says on stdout which were accepted, a line each. It may be killed at any
//! moment; asked again for the same numbers, it finds what was done and does the rest.

use std::{process::ExitCode, sync::Arc};

use super::{Common, WorkArgs, drive::drive, say, stop::Stop};
use crate::{trips::generate::generated, world::World};

/// The word before the id of a trip that was accepted: it will end, whatever happens.
pub(super) const ACCEPTED: &str = "accepted";

/// Books the trips.
///
/// # Errors
/// When the data cannot be used, or the node stops.
pub(super) async fn run(args: &WorkArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let world = Arc::new(World::open(&common.place()?, args.hold.0).await?);
    let accepted = |trip| say::line(format_args!("{ACCEPTED} {trip}"));
    let plans = (args.from..args.until).map(|n| Ok(generated(args.seed, n)));
    let tally = drive(&world, plans, args.pace.concurrency, accepted, |_| {}, &Stop::listen()).await;
    World::close(world).await;
    Ok(if tally?.stuck == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
