//! The draw of a booking: trips as the example's generator makes them, on some days crowded into a few rooms, some of
//! them with what the rows of the public data set have too (day use, rooms for nothing), and what their guests do.

use ::booking::{
    domain::{Cents, TripId},
    trips::{Hotel, Trip, generate, id, plan::Form, rules},
};
use palinode::log::memory::Chance;

use super::Guest;
use crate::script::{Act, Deed};

/// In a thousand: how many worlds have the booking.
const SHARE: u32 = 200;

/// The guests of a seed, and how many milliseconds a trip waits for its own; nothing for most seeds.
pub(crate) fn draw(seed: u64, safety_ms: u64) -> Option<(u64, Vec<Vec<Act>>)> {
    let chance = &mut Chance::new(seed.wrapping_mul(0x9e37_79b9) ^ 0xb00c);
    if !chance.hits(SHARE) {
        return None;
    }
    let hold_ms = [1_500, 4_000, 12_000][small(chance, 3)];
    let crowded = chance.hits(600);
    let (mut desks, mut answers) = (vec![Vec::new(); 1 + small(chance, 3)], Vec::new());
    for n in 0..3 + chance.below(12) {
        let at_ms = chance.below(safety_ms * 9 / 10);
        let trip = trip(chance, seed, n, crowded);
        let later = at_ms + chance.below(hold_ms * 5 / 4);
        let answer = match chance.below(100) {
            0..66 => Some((later, Guest::Confirms(trip.id))),
            66..78 => Some((later, Guest::Cancels(trip.id))),
            // In the midst of it: while things are held, or paid.
            78..90 => Some((at_ms + chance.below(600), Guest::Cancels(trip.id))),
            _ => None,
        };
        if let Some((_, Guest::Cancels(trip))) = answer
            && chance.hits(400)
        {
            let before = at_ms + chance.below(hold_ms);
            answers.push(act(chance, before, Guest::Confirms(trip)));
        }
        let booked = act(chance, at_ms, Guest::Books(trip));
        let desk = small(chance, desks.len() as u64);
        desks[desk].push(booked);
        answers.extend(answer.map(|(at_ms, guest)| act(chance, at_ms, guest)));
    }
    desks.iter_mut().for_each(|acts| acts.sort_by_key(|act| act.at_ms));
    // Each answer comes from somebody else.
    desks.extend(answers.into_iter().map(|act| vec![act]));
    Some((hold_ms, desks))
}

fn act(chance: &mut Chance, at_ms: u64, guest: Guest) -> Act {
    let patience_ms = [10_000, 300_000, 300_000][small(chance, 3)];
    Act { at_ms, what: Deed::Booking(guest), patience_ms, doubled: chance.hits(80) }
}

fn trip(chance: &mut Chance, seed: u64, n: u64, crowded: bool) -> Trip {
    let (form, _) = generate::form(seed, n);
    let (hotel, letter) = if chance.hits(500) { (Hotel::Resort, 'B') } else { (Hotel::City, 'E') };
    let first = generate::form(seed, 0).0.first.plus(u16::try_from(chance.below(3)).unwrap_or(0));
    let form = if crowded { Form { hotel, letter, first, ..form } } else { form };
    let form = if chance.hits(60) { Form { nights: 0, rate: Cents(0), people: 0, ..form } } else { form };
    Form { parking: chance.hits(300), ..form }.trip(a_trip(chance, seed, n))
}

/// An id; more often than in the example one that the airline, the station or the bank refuses.
fn a_trip(chance: &mut Chance, seed: u64, n: u64) -> TripId {
    let fits = match chance.below(12) {
        0 => rules::seats_are_refused,
        1 => rules::car_is_refused,
        2 | 3 => rules::payment_is_declined,
        _ => |_: TripId| true,
    };
    let ids = (0..2_000).map(|other| id::of_generated(seed, n + other * 1_000));
    let mut fitting = ids.filter(|trip| fits(*trip));
    fitting.next().unwrap_or_else(|| id::of_generated(seed, n))
}

fn small(chance: &mut Chance, below: u64) -> usize {
    usize::try_from(chance.below(below)).unwrap_or(0)
}
