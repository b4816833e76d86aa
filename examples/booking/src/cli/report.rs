//! The summary of a run for people, at most 100 columns wide, and the same as JSON for programs.

use serde::Serialize;

use super::{
    Common, folder,
    say::{self, Ink, Tone},
    tally::{Speed, Tally},
    timeline,
};
use crate::{domain::TripId, place::Place};

/// The longest bar of the picture, in columns.
const BAR: u64 = 48;

/// A run, as one JSON object.
#[derive(Serialize)]
pub(super) struct Run<'a> {
    /// Trips booked.
    pub(super) trips: u64,
    #[serde(flatten)]
    pub(super) counts: Counts<'a>,
    #[serde(flatten)]
    pub(super) speed: Speed,
    /// Latency of the completed trips, from start to end, in milliseconds.
    pub(super) latency_ms: Latency,
    /// Where the data lies.
    pub(super) data: String,
}

/// How trips ended.
#[derive(Serialize)]
pub(super) struct Counts<'a> {
    pub(super) completed: u64,
    pub(super) compensated: u64,
    pub(super) cancelled: u64,
    pub(super) expired: u64,
    pub(super) stuck: u64,
    pub(super) refused_at: &'a std::collections::BTreeMap<String, u64>,
}

/// Two percentiles.
#[derive(Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Latency {
    /// Of the completed trips.
    pub(super) fn of(tally: &Tally) -> Self {
        let millis = |percent| {
            let micros = u32::try_from(tally.percentile(percent)).unwrap_or(u32::MAX);
            f64::from(micros) / 1_000.0
        };
        Self { p50: millis(50.0), p99: millis(99.0) }
    }
}

impl<'a> Counts<'a> {
    /// Of a tally.
    pub(super) fn of(tally: &'a Tally) -> Self {
        let Tally { completed, compensated, cancelled, expired, stuck, .. } = *tally;
        Self { completed, compensated, cancelled, expired, stuck, refused_at: &tally.refused_at }
    }
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// When it has no JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    say::line(serde_json::to_string(value)?);
    Ok(())
}

/// The outcomes as a picture.
pub(super) fn outcomes(tally: &Tally, ink: Ink) -> String {
    let rows = [
        ("completed", tally.completed, Tone::Good),
        ("compensated", tally.compensated, Tone::Back),
        ("cancelled", tally.cancelled, Tone::Back),
        ("expired", tally.expired, Tone::Back),
        ("stuck", tally.stuck, Tone::Bad),
    ];
    let all = tally.trips().max(1);
    let mut text = String::new();
    for (word, n, tone) in rows {
        let tenths = n.saturating_mul(1_000) / all;
        let width = (n.saturating_mul(BAR).div_ceil(all)).min(BAR);
        let bar: String = (0..width).map(|_| '█').collect();
        let share = format!("{}.{} %", tenths / 10, tenths % 10);
        text.push_str(&format!("  {word:<12}{:>9}  {share:>7}  {}\n", say::count(n), ink.paint(tone, bar)));
    }
    if !tally.refused_at.is_empty() {
        let at = |(step, n): (&String, &u64)| format!("{step} {}", say::count(*n));
        let list: Vec<_> = tally.refused_at.iter().map(at).collect();
        text.push_str(&format!("  {}\n", ink.paint(Tone::Faint, format!("refused at: {}", list.join(", ")))));
    }
    text
}

/// How fast it was, in one line.
pub(super) fn speed(tally: &Tally, speed: &Speed, ink: Ink) -> String {
    let rate = |n: f64| format!("{n:.0}").parse().map_or_else(|_| n.to_string(), say::count);
    let commits = |n: f64| format!("   {} commits/s", ink.paint(Tone::Strong, rate(n)));
    let (p50, p99) = (say::micros(tally.percentile(50.0)), say::micros(tally.percentile(99.0)));
    format!(
        "  {} sagas/s{}   p50 {}   p99 {}   {}\n",
        ink.paint(Tone::Strong, rate(speed.sagas_per_second)),
        speed.commits_per_second.map_or_else(String::new, commits),
        ink.paint(Tone::Strong, p50),
        ink.paint(Tone::Strong, p99),
        ink.paint(Tone::Faint, "(start to end of the completed ones)"),
    )
}

/// One trip that was taken back, drawn; nothing when it cannot be read.
pub(super) async fn example(place: &Place, trip: TripId, ink: Ink) -> String {
    let Ok(Some(timeline)) = timeline::read(place, trip).await else { return String::new() };
    let title = ink.paint(Tone::Strong, format!("One that was taken back, {trip}"));
    let trace = place.seen().link(timeline.trace()).map(|link| format!("\n  Its trace: {link}\n"));
    format!("  {title}\n\n{}{}\n", timeline.draw(ink), trace.unwrap_or_default())
}

/// Where the data lies.
pub(super) fn place(place: &Place) -> String {
    if place.servers().is_some() {
        return format!("  Data     {place}\n");
    }
    let data = place.folder();
    let size = |name| format!("{name} {}", say::bytes(folder::size(data, name)));
    format!(
        "  Data     {}\n           {}, {}, {}\n",
        data.display(),
        size("log.db"),
        size("read.db"),
        size("payments.db")
    )
}

/// What to try next, as commands of the program in the way it was called.
pub(super) fn next(example: Option<TripId>, place: &Place, given: &Common) -> String {
    let data: String = given.again().into_iter().map(|arg| format!(" {arg}")).collect();
    let program = std::env::args().next().unwrap_or_else(|| "booking".into());
    let mut lines = vec![
        (format!("{program} verify{data}"), "compute everything again from the log, and compare"),
        (format!("{program} replay FILE{data}"), "book the public data set of hotel bookings"),
    ];
    if place.servers().is_none() {
        lines.push((format!("{program} crash{data}"), "kill it five times under load, and look again"));
    }
    if let Some(trip) = example {
        lines.insert(0, (format!("{program} show {trip}{data}"), "that trip, step by step"));
    }
    let width = lines.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let line = |(command, what): &(String, &str)| match width {
        0..64 => format!("{command:<width$}   {what}\n"),
        _ => format!("{command}\n"),
    };
    let text: Vec<_> = lines.iter().map(line).collect();
    format!("  Next     {}", text.join("           "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{cli::tally::Seen, world::Ended};

    fn tally() -> Tally {
        let mut tally = Tally::new();
        let mut ended = |n: u64, ended: Ended| {
            for trip in 0..n {
                let (took, ended) = (Duration::from_millis(4), Some(ended.clone()));
                tally.take(&Seen { trip: TripId(trip), ended, took, again: false });
            }
        };
        ended(1_740, Ended::Completed);
        ended(160, Ended::Compensated("hold-seat".into()));
        ended(100, Ended::Cancelled);
        tally
    }

    #[test]
    fn the_picture_shows_numbers_shares_and_reasons() {
        let picture = outcomes(&tally(), Ink::plain());
        let lines: Vec<&str> = picture.lines().collect();
        assert!(lines[0].starts_with("  completed       1 740   87.0 %  █████"), "{picture}");
        assert_eq!(lines[1], "  compensated       160    8.0 %  ████");
        assert_eq!(lines[4].trim_end(), "  stuck               0    0.0 %");
        assert_eq!(lines[5], "  refused at: hold-seat 160");
    }

    #[test]
    fn nothing_is_wider_than_a_hundred_columns() {
        let tally = tally();
        let data = Place::new("/home/somebody/.local/share/palinode-booking".into(), None, None);
        let fast = Speed::of(2_000, Some(400_000), Duration::from_secs(1));
        let parts = [
            outcomes(&tally, Ink::plain()),
            speed(&tally, &fast, Ink::plain()),
            place(&data),
            next(Some(TripId(7)), &data, &Common::default()),
        ];
        for line in parts.iter().flat_map(|part| part.lines()) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    #[test]
    fn the_json_names_every_outcome() {
        let tally = tally();
        let run = Run {
            trips: tally.trips(),
            counts: Counts::of(&tally),
            speed: Speed::of(2_000, Some(40_000), Duration::from_secs(1)),
            latency_ms: Latency::of(&tally),
            data: "d".into(),
        };
        let json = serde_json::to_value(&run).unwrap();
        assert_eq!(json["trips"], 2_000);
        assert_eq!(json["completed"], 1_740);
        assert_eq!(json["refused_at"]["hold-seat"], 160);
        assert_eq!(json["sagas_per_second"], 2_000.0);
        assert!(json["latency_ms"]["p50"].as_f64().unwrap() > 3.9);
    }
}
