//! Trips without end, the same for the same seed: the `n`-th can be made without the ones before it. They arrive later
//! and later, so that a second run finds rooms as free as the first did.

use super::{Guest, Plan, id, plan::Form, plan::Hotel};
use crate::domain::{Cents, Day};

/// Arrivals a day. Together with the capacities it makes a few per cent of the room holds fail.
const ARRIVALS: u64 = 80;
/// Arrivals of one moment of booking are spread over so many days.
const SPREAD: u64 = 14;
/// The countries guests come from, those that come more often more often.
const COUNTRIES: [&str; 16] = [
    "PRT", "PRT", "PRT", "PRT", "PRT", "GBR", "GBR", "GBR", "ESP", "ESP", "FRA", "FRA", "DEU", "IRL", "ITA",
    "NLD",
];

/// The `n`-th trip of a seed.
#[must_use]
pub fn generated(seed: u64, n: u64) -> Plan {
    let (form, guest) = form(seed, n);
    Plan { trip: form.trip(id::of_generated(seed, n)), guest }
}

/// The form that its guest filled in, and the guest.
#[must_use]
pub fn form(seed: u64, n: u64) -> (Form<'static>, Guest) {
    let mut dice = Dice(seed ^ id::of_generated(seed, n).0);
    let hotel = if dice.percent(70) { Hotel::Resort } else { Hotel::City };
    let later = n / ARRIVALS + dice.below(SPREAD);
    let parking = hotel == Hotel::Resort && dice.percent(12);
    let form = Form {
        hotel,
        letter: room(&mut dice),
        first: Day::of(2030, 1, 1).unwrap_or_default().plus(u16::try_from(later % 60_000).unwrap_or(0)),
        nights: small(1 + dice.below(3) + dice.below(3) * dice.below(2)),
        rate: Cents(4_500 + dice.below(120) * 100),
        people: small(1 + dice.below(2) + dice.below(2) * dice.below(2)),
        country: usize::try_from(dice.below(16))
            .ok()
            .and_then(|i| COUNTRIES.get(i))
            .copied()
            .unwrap_or("PRT"),
        parking,
    };
    (form, guest(&mut dice))
}

fn room(dice: &mut Dice) -> char {
    match dice.below(100) {
        0..66 => 'A',
        66..83 => 'D',
        83..93 => 'E',
        93..97 => 'G',
        97..99 => 'F',
        _ => 'C',
    }
}

fn guest(dice: &mut Dice) -> Guest {
    match dice.below(100) {
        0..88 => Guest::Confirms,
        88..97 => Guest::Cancels,
        _ => Guest::Silent,
    }
}

fn small(n: u64) -> u16 {
    u16::try_from(n).unwrap_or(1)
}

/// Splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; the bias of the remainder is far below anything seen here.
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use palinode::{Address, Aggregate, Context, Micros, trace::Scope};

    use super::*;
    use crate::domain::{RoomCommand, RoomType};

    #[test]
    fn splitmix_gives_its_published_numbers() {
        let mut dice = Dice(1_234_567);
        assert_eq!(dice.next(), 6_457_827_717_110_365_317);
        assert_eq!(dice.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_same_seed_makes_the_same_trips_and_another_makes_others() {
        assert_eq!(generated(1, 42), generated(1, 42));
        assert_ne!(generated(1, 42).trip.id, generated(2, 42).trip.id);
    }

    #[test]
    fn every_kind_of_guest_comes_and_most_confirm() {
        let count = |guest| (0..3_000).filter(|n| generated(1, *n).guest == guest).count();
        assert!(count(Guest::Confirms) > 2_400);
        assert!(count(Guest::Cancels) > 150);
        assert!(count(Guest::Silent) > 40);
    }

    /// Holds the rooms of guests who stay, one after another, and returns the refusals of each thousand.
    fn refusals(trips: u64) -> Vec<u64> {
        let mut hotels: BTreeMap<_, RoomType> = BTreeMap::new();
        let mut refused = vec![0; usize::try_from(trips / 1_000).unwrap()];
        for n in 0..trips {
            let Plan { trip, guest } = generated(1, n);
            let rooms = hotels.entry(trip.room.clone()).or_default();
            let entity = Address::new("hotel", "room-type", trip.room.clone());
            let cx = Context {
                time: Micros(0),
                entity,
                version: 0,
                cause: "test".into(),
                trace: Scope::default(),
            };
            let hold =
                RoomCommand::Hold { trip: trip.id, first: trip.first, nights: trip.nights, rate: trip.rate };
            match rooms.decide(&hold, &cx) {
                Ok(events) if guest == Guest::Confirms => events.iter().for_each(|e| rooms.evolve(e)),
                Ok(_) => {}
                Err(_) => refused[usize::try_from(n / 1_000).unwrap()] += 1,
            }
        }
        refused
    }

    #[test]
    fn a_few_per_cent_find_no_room_in_every_run() {
        for (thousand, refused) in refusals(9_000).into_iter().enumerate().skip(1) {
            assert!((1..=90).contains(&refused), "{refused} of thousand {thousand}");
        }
    }
}
