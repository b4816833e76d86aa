//! One trip as a timeline in text: every entry of its journal a line, from the start to the end, with its undos.

use std::fmt::Write;

use anyhow::Context;
use palinode::{Address, EntityKey, commit::EventRecord, trace::TraceId};
use palinode_sagas::{
    Event,
    event::{Direction, SkippedBy, Why},
    outcome::Raw,
};
use palinode_verify::{Source, commits};
use serde::Deserialize;

use super::say::{Ink, Tone, micros};
use crate::{
    domain::{Cents, TripId},
    place::Place,
    saga::BOOK_TRIP,
    trips::Trip,
};

/// No line is longer, colours not counted.
const WIDTH: usize = 100;

/// The journal of one trip.
pub(super) struct Timeline {
    trace: TraceId,
    entries: Vec<Entry>,
}

struct Entry {
    /// Microseconds since 1970.
    time: i64,
    event: Event,
}

/// Reads a trip's journal from the log, without its owner's lock; none when the trip was never started.
///
/// # Errors
/// When the log or the journal cannot be read.
pub(super) async fn read(place: &Place, trip: TripId) -> anyhow::Result<Option<Timeline>> {
    let place = place.clone();
    tokio::task::spawn_blocking(move || of_log(&*place.log()?, trip)).await?
}

fn of_log(log: &dyn Source, trip: TripId) -> anyhow::Result<Option<Timeline>> {
    let id = trip.to_string();
    let shards = log.partitions().iter().filter(|p| &*p.service == "trip").count();
    let shard = EntityKey::new(BOOK_TRIP, id.as_str()).shard(u32::try_from(shards)?);
    let mut timeline: Option<Timeline> = None;
    for commit in commits(log, "trip", shard) {
        let commit = commit?;
        if commit.entity().is_none_or(|entity| entity.id != id) {
            continue;
        }
        let trip = || Address::new("trip", BOOK_TRIP, id.as_str());
        let trace = || TraceId::of_entity(commit.at.log_id, &trip());
        let entries =
            &mut timeline.get_or_insert_with(|| Timeline { trace: trace(), entries: Vec::new() }).entries;
        for event in commit.commit.events {
            let (name, data) = (event.name.into(), event.data);
            let record = EventRecord { name, schema: event.schema, data };
            let event = Event::read(&record).map_err(anyhow::Error::msg);
            entries.push(Entry { time: commit.commit.time, event: event.context("the journal")? });
        }
    }
    Ok(timeline.filter(|timeline| !timeline.entries.is_empty()))
}

impl Timeline {
    /// The trace in which it is seen.
    pub(super) fn trace(&self) -> TraceId {
        self.trace
    }

    /// Its entries, oldest first, with their times in microseconds since 1970.
    pub(super) fn entries(&self) -> impl Iterator<Item = (i64, &Event)> {
        self.entries.iter().map(|Entry { time, event }| (*time, event))
    }

    /// The same as data.
    pub(super) fn as_json(&self, trip: TripId) -> serde_json::Value {
        let entry = |Entry { time, event }: &Entry| serde_json::json!({ "time_us": time, "event": event });
        serde_json::json!({ "trip": trip, "trace": self.trace.to_string(), "journal": self.entries.iter().map(entry).collect::<Vec<_>>() })
    }

    /// Draws it.
    pub(super) fn draw(&self, ink: Ink) -> String {
        let (mut text, mut before) = (String::new(), None);
        let began = self.entries.first().map_or(0, |entry| entry.time);
        for Entry { time, event } in &self.entries {
            let after = u64::try_from(time - began).unwrap_or(0);
            let when = if before == Some(time) { String::new() } else { micros(after) };
            before = Some(time);
            let Line { mark, tone, node, words } = line(event, began);
            let room = WIDTH - 32;
            let words = cut(&words, room);
            let node = format!("{node:<16}");
            let (mark, words) = match tone {
                Some(tone) => (ink.paint(tone, mark), ink.paint(tone, words)),
                None => (mark.to_owned(), words),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {when:>9}  {mark} {node} {words}");
        }
        text
    }
}

/// One entry in words.
struct Line {
    mark: &'static str,
    tone: Option<Tone>,
    node: String,
    words: String,
}

impl Line {
    fn of(mark: &'static str, node: impl AsRef<str>, words: impl Into<String>) -> Self {
        Self { mark, tone: None, node: node.as_ref().to_owned(), words: words.into() }
    }

    fn tone(self, tone: Tone) -> Self {
        Self { tone: Some(tone), ..self }
    }
}

fn line(event: &Event, began: i64) -> Line {
    let at = |due: i64| micros(u64::try_from(due - began).unwrap_or(0));
    match event {
        Event::Started { data, .. } => Line::of("●", "start", wanted(data)).tone(Tone::Strong),
        Event::StepAsked { node, round, attempt, pivot, .. } => {
            let pivot = if *pivot { ", the pivot" } else { "" };
            Line::of("→", node, format!("asked{pivot}{}", try_number(*round, *attempt))).tone(Tone::Faint)
        }
        Event::StepDone { node, reply, late, .. } => {
            let late = if *late { ", late" } else { "" };
            Line::of("✓", node, format!("done{late}: {}", reply_in_words(reply)))
        }
        Event::PivotPassed { node, reply, .. } => {
            Line::of("◆", node, format!("done: {}; no way back from here", reply_in_words(reply)))
                .tone(Tone::Good)
        }
        Event::StepRefused { node, text, .. } => {
            Line::of("✗", node, format!("refused: {text}")).tone(Tone::Bad)
        }
        Event::StepUnknown { node, why, .. } => {
            Line::of("?", node, format!("unknown: {why}")).tone(Tone::Bad)
        }
        Event::AttemptFailed { node, direction, how, why, timer, .. } => {
            let what = if *direction == Direction::Do { "attempt" } else { direction.word() };
            let again = timer.map_or(String::new(), |t| format!("; again at {}", at(t.due.0)));
            Line::of("↻", node, format!("{what} failed, {how:?}: {why}{again}").to_lowercase())
                .tone(Tone::Bad)
        }
        Event::Skipped { node, why: SkippedBy::When } => Line::of("·", node, "not wanted").tone(Tone::Faint),
        Event::Skipped { node, why: SkippedBy::Person } => {
            Line::of("·", node, "left out, by a person").tone(Tone::Back)
        }
        Event::Skipped { node, why: SkippedBy::Undo } => {
            Line::of("·", node, "not needed any more").tone(Tone::Faint)
        }
        Event::WaitBegan { node, signal, timer } => {
            let what = signal.as_ref().map_or(String::new(), |name| format!(" for {name:?}"));
            Line::of("…", node, format!("waits{what} until {}", at(timer.due.0))).tone(Tone::Faint)
        }
        Event::Signalled { name, .. } => Line::of("«", "", format!("the guest says: {name}")),
        Event::WaitDone { node, .. } => Line::of("✓", node, "heard"),
        Event::TimedOut { node, .. } => Line::of("✗", node, "no answer in time").tone(Tone::Bad),
        Event::UndoBegan { why } => Line::of("↩", "take back", because(why)).tone(Tone::Back),
        Event::Draining { node, .. } => {
            Line::of("…", node, "is still running, and awaited").tone(Tone::Faint)
        }
        Event::UndoAsked { node, round, attempt, .. } => {
            Line::of("←", node, format!("undo asked{}", try_number(*round, *attempt))).tone(Tone::Faint)
        }
        Event::Undone { node, .. } => Line::of("↩", node, "undone").tone(Tone::Back),
        Event::Blocked { node, why } | Event::InDoubt { node, why } | Event::UndoStuck { node, why } => {
            Line::of("!", node, format!("needs a person: {why}")).tone(Tone::Bad)
        }
        Event::Stuck { .. } => Line::of("!", "stuck", "nothing moves without a person").tone(Tone::Bad),
        Event::LateReply { re, class, .. } => {
            Line::of("·", "late", format!("{re}: {class:?}").to_lowercase()).tone(Tone::Faint)
        }
        Event::CancelAsked { reason, by } => {
            Line::of("«", "cancel", format!("asked by {by}: {reason}; honoured if it still can be"))
        }
        Event::CancelTooLate {} => Line::of("·", "cancel", "too late: it is paid"),
        Event::DeadlinePassed {} => Line::of("!", "deadline", "passed").tone(Tone::Bad),
        Event::Completed {} => Line::of("■", "end", "completed").tone(Tone::Good),
        Event::Compensated { exceptions: 0 } => Line::of("■", "end", "compensated").tone(Tone::Back),
        Event::Compensated { exceptions } => {
            Line::of("■", "end", format!("compensated, {exceptions} closed by a person")).tone(Tone::Back)
        }
        Event::Killed { reason, by, .. } => {
            Line::of("■", "end", format!("killed by {by}: {reason}")).tone(Tone::Bad)
        }
        Event::Intervened { verb, node, by, reason } => {
            Line::of("☞", node, format!("{verb} by {by}: {reason}")).tone(Tone::Strong)
        }
        Event::Awaited { node, .. } => Line::of("…", node, "its answer is awaited again").tone(Tone::Faint),
        Event::Leaked { node, .. } => Line::of("!", node, "may still have happened").tone(Tone::Bad),
        Event::Paused { by, reason, .. } => {
            Line::of("‖", "pause", format!("by {by}: {reason}")).tone(Tone::Strong)
        }
        Event::Resumed { by, reason, .. } => {
            Line::of("▶", "resume", format!("by {by}: {reason}")).tone(Tone::Strong)
        }
        Event::Unparked { by, reason } => {
            Line::of("▶", "unpark", format!("by {by}: {reason}")).tone(Tone::Strong)
        }
        Event::Parked { why, .. } => Line::of("!", "parked", why.to_string()).tone(Tone::Bad),
        Event::SettleAsked { node, direction, round, attempt, .. } => {
            let what = if *direction == Direction::Void {
                "told never to do it"
            } else {
                "asked whether it happened"
            };
            Line::of("?", node, format!("{what}{}", try_number(*round, *attempt))).tone(Tone::Faint)
        }
        Event::NotKnown { node } => {
            Line::of("?", node, "its participant knows nothing of it").tone(Tone::Bad)
        }
        other => Line::of("·", "", format!("{other:?}")).tone(Tone::Faint),
    }
}

/// Why a saga is taken back, in words.
pub(super) fn because(why: &Why) -> String {
    match why {
        Why::Refused { node, text, .. } => format!("{node} was refused: {text}"),
        Why::Unknown { node, text } => format!("nobody knows what became of {node}: {text}"),
        Why::TimedOut { node } => format!("no answer of the {node} in time"),
        Why::Cancelled { reason, .. } => reason.to_string(),
        _ => "it took too long".into(),
    }
}

fn wanted(data: &Raw) -> String {
    let Ok(trip) = serde_json::from_str::<Trip>(data.get()) else { return data.get().to_owned() };
    let many = |n: u16, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let car = if trip.car.is_some() { ", a car" } else { "" };
    let flight = trip.flight.split('/').next().unwrap_or_default();
    let (nights, seats) = (many(trip.nights, "night"), many(trip.seats, "seat"));
    format!("{}, {nights} from {}, {seats} {flight}{car}", trip.room, trip.first)
}

/// What the replies of this example have in common: one of these fields.
#[derive(Deserialize)]
struct Reply {
    price: Option<Cents>,
    reference: Option<String>,
    number: Option<String>,
}

fn reply_in_words(reply: &Raw) -> String {
    match serde_json::from_str(reply.get()) {
        Ok(Reply { price: Some(price), .. }) => price.to_string(),
        Ok(Reply { reference: Some(text), .. } | Reply { number: Some(text), .. }) => text,
        _ => reply.get().to_owned(),
    }
}

fn try_number(round: u32, attempt: u32) -> String {
    match (round, attempt) {
        (0 | 1, 0 | 1) => String::new(),
        (0 | 1, n) => format!(" again, attempt {n}"),
        (n, _) => format!(" again, round {n}"),
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use palinode::Micros;
    use palinode_sagas::event::Timer;
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::trips::generate::generated;

    fn timeline(events: Vec<(i64, Event)>) -> Timeline {
        let entries = events.into_iter().map(|(time, event)| Entry { time, event }).collect();
        Timeline { trace: TraceId::derived("a trip"), entries }
    }

    fn asked(node: &str) -> Event {
        Event::StepAsked {
            node: node.into(),
            round: 1,
            attempt: 1,
            pivot: node == "capture-payment",
            to: None,
            request: None,
            undo: None,
            at: None,
            timer: None,
        }
    }

    fn price(cents: u64) -> Raw {
        to_raw_value(&serde_json::json!({ "price": cents })).unwrap().into()
    }

    fn done(node: &str, cents: u64) -> Event {
        Event::StepDone {
            node: node.into(),
            round: 1,
            reply: price(cents),
            data: None,
            undo: None,
            late: false,
        }
    }

    #[test]
    fn a_trip_that_was_taken_back_reads_from_top_to_bottom() {
        let trip = Trip { car: Some("FAO/2030-01-02".into()), ..generated(1, 3).trip };
        let started = Event::Started {
            definition: "book-trip".into(),
            version: 1,
            fingerprint: palinode::Digest::of(b""),
            data: to_raw_value(&trip).unwrap().into(),
            deadline: None,
        };
        let text: Arc<str> = "the station has no car left".into();
        let refused = Event::StepRefused {
            node: "hold-car".into(),
            round: 1,
            code: "none_left".into(),
            text: Arc::clone(&text),
            data: None,
            late: false,
        };
        let why = Why::Refused { node: "hold-car".into(), code: "none_left".into(), text };
        let timer = Timer { serial: 1, due: Micros(1_000_000) };
        let drawn = timeline(vec![
            (1_000, started),
            (1_000, asked("hold-room")),
            (1_400, done("hold-room", 12_050)),
            (1_400, Event::WaitBegan { node: "guest".into(), signal: Some("confirmed".into()), timer }),
            (2_100, refused),
            (2_100, Event::UndoBegan { why }),
            (2_100, Event::UndoAsked { node: "hold-room".into(), round: 1, attempt: 1, at: Micros(2_100) }),
            (4_000, Event::Undone { node: "hold-room".into(), round: 1 }),
            (4_000, Event::Compensated { exceptions: 0 }),
        ])
        .draw(Ink::plain());
        let lines: Vec<&str> = drawn.lines().map(str::trim).collect();
        assert!(lines[0].starts_with("0 us  ● start"), "{drawn}");
        assert!(lines[0].ends_with(", a car"), "{drawn}");
        assert_eq!(
            lines[1..],
            [
                "→ hold-room        asked",
                "400 us  ✓ hold-room        done: 120.50 EUR",
                "… guest            waits for \"confirmed\" until 999.0 ms",
                "1.1 ms  ✗ hold-car         refused: the station has no car left",
                "↩ take back        hold-car was refused: the station has no car left",
                "← hold-room        undo asked",
                "3.0 ms  ↩ hold-room        undone",
                "■ end              compensated",
            ]
        );
        assert!(drawn.lines().all(|line| line.chars().count() <= WIDTH), "{drawn}");
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }
}
