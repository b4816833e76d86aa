//! The booking example once more, naively: rooms, seats, cars, money and trips as plain maps. Every answer and event of
//! the hotel, the airline and the station is computed again, and at rest stock, trips and money must agree. Written from
//! what `examples/booking` promises, with JSON, numbers and a hash only; it shares no line with it.

use std::collections::{BTreeMap, BTreeSet};

use palinode_verify::record::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Truth,
    model::{Expected, History},
};
use crate::world::World;

mod rest;
mod rows;

/// What can be booked.
pub(super) const KINDS: [&str; 3] = ["room-type", "flight", "car"];

/// Who holds what at one entity.
#[derive(Default, Clone, Serialize, Deserialize)]
struct Holds {
    held: BTreeMap<String, Value>,
    confirmed: BTreeMap<String, Value>,
    released: BTreeSet<String>,
}

/// `word/trip` as the rules of the outside world hash it.
fn hash(word: &str, trip: &str) -> u64 {
    let digest = Sha256::digest(format!("{word}/{trip}"));
    digest[..8].iter().fold(0, |n, byte| n * 256 + u64::from(*byte))
}

fn rooms_of(room: &str) -> u64 {
    let known = [("resort/A", 90), ("resort/D", 40), ("resort/E", 24), ("resort/G", 12), ("resort/F", 8)];
    let more = [("resort/C", 7), ("resort/H", 5), ("city/A", 160), ("city/D", 24), ("city/B", 6)];
    let last = [("city/F", 6), ("city/E", 4)];
    let mut all = known.iter().chain(&more).chain(&last);
    all.find(|(name, _)| *name == room).map_or(2, |(_, rooms)| *rooms)
}

/// The nights of a stay, as they are written.
fn nights(first: &str, count: u64) -> Vec<String> {
    let mut parts = first.split('-').map(|part| part.parse::<u64>().unwrap_or(1));
    let (mut year, mut month, mut day) =
        (parts.next().unwrap_or(1), parts.next().unwrap_or(1), parts.next().unwrap_or(1));
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(format!("{year:04}-{month:02}-{day:02}"));
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let length = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        day += 1;
        if day > length[usize::try_from(month - 1).unwrap_or(0)] {
            (day, month) = (1, month + 1);
        }
        if month > 12 {
            (month, year) = (1, year + 1);
        }
    }
    all
}

impl Holds {
    fn of(&self, trip: &str) -> Option<&Value> {
        self.held.get(trip).or_else(|| self.confirmed.get(trip))
    }

    /// Rooms taken, by night.
    fn taken(&self) -> BTreeMap<String, u64> {
        let mut taken = BTreeMap::new();
        for stay in self.held.values().chain(self.confirmed.values()) {
            for night in nights(stay[0].as_str().unwrap_or(""), stay[1].as_u64().unwrap_or(0)) {
                *taken.entry(night).or_default() += 1;
            }
        }
        taken
    }
}

/// Where the holds stand in the saved state of a kind.
fn place(kind: &str) -> &'static str {
    match kind {
        "room-type" => "stays",
        "flight" => "seats",
        _ => "rentals",
    }
}

/// The holds in a state.
fn holds(kind: &str, state: &Value) -> Holds {
    serde_json::from_value(state[place(kind)].clone()).unwrap_or_default()
}

/// A command, carried out.
pub(super) fn execute(kind: &str, id: &str, before: Option<Value>, command: &Value) -> Expected {
    let mut book = before.map(|state| holds(kind, &state)).unwrap_or_default();
    let (verb, data) = (command["type"].as_str().unwrap_or(""), &command["data"]);
    let trip = data["trip"].as_str().unwrap_or("").to_owned();
    let (has, gone) = (book.of(&trip).cloned(), book.released.contains(&trip));
    let (mut events, mut no) = (Vec::new(), None);
    match verb {
        "hold" if has.is_some() => {}
        "hold" if gone => no = Some(json!({ "type": "released" })),
        "hold" => match offer(kind, id, &trip, data, &book) {
            Ok((hold, event)) => {
                book.held.insert(trip.clone(), hold);
                events.push(("held", event));
            }
            Err(why) => no = Some(why),
        },
        "release" if gone => {}
        "release" => {
            book.held.remove(&trip);
            book.confirmed.remove(&trip);
            book.released.insert(trip.clone());
            events.push(("released", given_back(kind, &trip, has.as_ref())));
        }
        _ if book.held.contains_key(&trip) => {
            let what = book.held.remove(&trip).unwrap_or_default();
            book.confirmed.insert(trip.clone(), what);
            events.push(("confirmed", json!({ "trip": trip })));
        }
        _ if has.is_some() => {}
        _ => no = Some(json!({ "type": "not_held" })),
    }
    let price = book.of(&trip).map_or(0, |hold| price(kind, hold));
    let mut state = json!({ place(kind): book });
    if kind == "room-type" {
        state["taken"] = json!(book.taken());
    }
    let name = |event| match (kind, event) {
        ("room-type", "held") => "room-type.held",
        ("room-type", "released") => "room-type.released",
        ("room-type", _) => "room-type.confirmed",
        ("flight", "held") => "flight.held",
        ("flight", "released") => "flight.released",
        ("flight", _) => "flight.confirmed",
        (_, "held") => "car.held",
        (_, "released") => "car.released",
        _ => "car.confirmed",
    };
    let events = events.into_iter().map(|(event, data)| (name(event), data)).collect();
    match no {
        Some(no) => Expected { outcome: Outcome::Rejected, answer: no, events, state },
        None => Expected { outcome: Outcome::Accepted, answer: json!({ "price": price }), events, state },
    }
}

fn price(kind: &str, hold: &Value) -> u64 {
    match kind {
        "room-type" => hold[1].as_u64().unwrap_or(0) * hold[2].as_u64().unwrap_or(0),
        "flight" => hold[1].as_u64().unwrap_or(0),
        _ => hold.as_u64().unwrap_or(0),
    }
}

/// What a trip gets: as it is kept, and as it is told; or why it gets nothing.
fn offer(kind: &str, id: &str, trip: &str, data: &Value, book: &Holds) -> Result<(Value, Value), Value> {
    let number = |name: &str| data[name].as_u64().unwrap_or(0);
    match kind {
        "room-type" => {
            let (count, first) = (number("nights"), data["first"].as_str().unwrap_or(""));
            if !(1..=365).contains(&count) {
                return Err(json!({ "type": "bad_stay", "data": { "nights": count } }));
            }
            let (taken, rooms) = (book.taken(), rooms_of(id));
            let full = nights(first, count).into_iter().find(|night| taken.get(night) >= Some(&rooms));
            if let Some(night) = full {
                palinode::sometimes!("booking: fully booked");
                return Err(json!({ "type": "full", "data": { "night": night, "rooms": rooms } }));
            }
            Ok((json!([first, count, number("rate")]), data.clone()))
        }
        "flight" if hash("seat", trip) % 100 < 3 => {
            Err(json!({ "type": "sold_out", "data": { "seats": number("seats") } }))
        }
        "flight" => {
            let (seats, each) = (number("seats"), 6_000 + hash("fare", trip) % 120 * 100);
            let event = json!({ "trip": trip, "seats": seats, "price": seats * each });
            Ok((json!([seats, seats * each]), event))
        }
        _ if hash("car", trip) % 100 < 4 => Err(json!({ "type": "none_left" })),
        _ => {
            let (days, each) = (number("days"), 2_500 + hash("rent", trip) % 35 * 100);
            Ok((json!(days * each), json!({ "trip": trip, "days": days, "price": days * each })))
        }
    }
}

fn given_back(kind: &str, trip: &str, had: Option<&Value>) -> Value {
    match (kind, had) {
        ("room-type", Some(stay)) => {
            json!({ "trip": trip, "freed": { "first": stay[0], "nights": stay[1] } })
        }
        ("room-type", None) => json!({ "trip": trip }),
        ("flight", had) => json!({ "trip": trip, "freed": had.map_or(json!(0), |seats| seats[0].clone()) }),
        (_, had) => json!({ "trip": trip, "freed": had.is_some() }),
    }
}

/// Trips, stock and money at rest; the rows at every SQL commit.
pub(super) fn judge(world: &World, truth: &Truth, history: &History, wrong: &mut Vec<String>) {
    if world.booking.is_some() {
        rest::judge(world, truth, history, wrong);
        rows::judge(world, truth, history, wrong);
    }
}
