//! One saga: its journal, and who did what to it, when and why. Read from the log without its owner's lock.

use std::process::ExitCode;

use anyhow::{Context, bail};
use palinode_sagas::{Event, event::Why};
use serde::Serialize;

use super::super::{
    Common, report,
    say::{self, Ink, Tone},
    timeline::{self, Timeline},
};
use crate::domain::Day;

/// Something a person did.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Act {
    /// Microseconds since 1970.
    time_us: i64,
    by: String,
    verb: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    why: String,
}

/// Shows a saga.
///
/// # Errors
/// When the id is none, or no trip of this id was ever started.
pub(super) async fn run(id: &str, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    let trip = id.parse()?;
    let read = timeline::read(&place, trip).await.with_context(|| format!("the data in {place}"))?;
    let Some(timeline) = read else { bail!("no trip {trip} was ever started here ({place})") };
    let acts = acts(&timeline);
    let ink = Ink::of_stdout();
    say::part(format!("\n  {}", ink.paint(Tone::Strong, format!("Trip {trip}"))));
    say::part(timeline.draw(ink));
    say::part(drawn(&acts, ink));
    if common.json {
        let mut json = timeline.as_json(trip);
        if let Some(json) = json.as_object_mut() {
            json.insert("audit".into(), serde_json::to_value(&acts)?);
        }
        report::json(&json)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What persons did, oldest first.
fn acts(timeline: &Timeline) -> Vec<Act> {
    let act = |(time_us, event): (i64, &Event)| {
        let (verb, by, reason) = match event {
            Event::Intervened { verb, by, reason, .. } => (verb.as_str(), by, reason),
            Event::CancelAsked { by, reason } => ("cancel", by, reason),
            Event::UndoBegan { why: Why::Cancelled { by, reason } } => ("cancel", by, reason),
            Event::Killed { by, reason, .. } => ("kill", by, reason),
            Event::Paused { by, reason, .. } => ("pause", by, reason),
            Event::Resumed { by, reason, .. } => ("resume", by, reason),
            Event::Unparked { by, reason } => ("unpark", by, reason),
            _ => return None,
        };
        let node = event.node().map(ToString::to_string);
        Some(Act { time_us, by: by.to_string(), verb: verb.into(), node, why: reason.to_string() })
    };
    timeline.entries().filter_map(act).collect()
}

fn drawn(acts: &[Act], ink: Ink) -> String {
    if acts.is_empty() {
        return String::new();
    }
    let line = |Act { time_us, by, verb, node, why }: &Act| {
        let node = node.as_ref().map_or(String::new(), |node| format!(" {node}"));
        format!("  {}  {by}: {verb}{node}, because {why}", utc(*time_us))
    };
    let lines: Vec<String> = acts.iter().map(line).collect();
    format!("  {}\n{}", ink.paint(Tone::Strong, "Who did what"), lines.join("\n"))
}

/// `2026-01-31 12:00:00 UTC`.
fn utc(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let day = Day::default().plus(u16::try_from(days).unwrap_or(u16::MAX));
    format!("{day} {:02}:{:02}:{:02} UTC", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(1_793_000_000_999_999), "2026-10-26 07:33:20 UTC");
    }

    #[test]
    fn nobody_did_anything_is_no_part_of_the_page() {
        assert_eq!(drawn(&[], Ink::plain()), "");
        let act = |node: Option<&str>| Act {
            time_us: 0,
            by: "ada".into(),
            verb: "retry".into(),
            node: node.map(str::to_owned),
            why: "the bank is back".into(),
        };
        let text = drawn(&[act(Some("pay")), act(None)], Ink::plain());
        assert!(text.contains("1970-01-01 00:00:00 UTC  ada: retry pay, because the bank is back"), "{text}");
        assert!(text.ends_with("ada: retry, because the bank is back"), "{text}");
    }
}
