//! `booking show`: one trip as a timeline.

use std::process::ExitCode;

use anyhow::{Context, bail};

use super::{
    Common, report,
    say::{self, Ink, Tone},
    timeline,
};

/// Shows a trip.
///
/// # Errors
/// When the id is none, or no trip of this id was ever started.
pub(super) async fn run(id: &str, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    let trip = id.parse()?;
    let read = timeline::read(&place, trip).await.with_context(|| format!("the data in {place}"))?;
    let Some(timeline) = read else { bail!("no trip {trip} was ever started here ({place})") };
    let ink = Ink::of_stdout();
    say::part(format!("\n  {}", ink.paint(Tone::Strong, format!("Trip {trip}"))));
    say::part(timeline.draw(ink));
    if let Some(link) = place.seen().link(timeline.trace()) {
        say::part(format!("  Its trace: {link}"));
    }
    if common.json {
        report::json(&timeline.as_json(trip))?;
    }
    Ok(ExitCode::SUCCESS)
}
