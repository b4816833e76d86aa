//! The rules that stand for the outside world: which trip finds no seats, no car, no money, and what things cost.
//!
//! Each is a hash of the trip's id, so that every run, every crash and every checker sees the same world:
//! `h(word, id)` is the first eight bytes, big-endian, of SHA-256 of `word/` and the id's 16 digits.
//!
//! | rule                | holds when          | share |
//! |---------------------|---------------------|-------|
//! | seats are refused   | h("seat") % 100 < 3 | 3 %   |
//! | the car is refused  | h("car") % 100 < 4  | 4 %   |
//! | payment is declined | h("pay") % 100 < 2  | 2 %   |
//!
//! A seat costs 60 + h("fare") % 120 EUR, a car 25 + h("rent") % 35 EUR a day.

use sha2::{Digest, Sha256};

use crate::domain::{Cents, TripId};

/// The airline has no seats for this trip.
#[must_use]
pub fn seats_are_refused(trip: TripId) -> bool {
    hash("seat", trip) % 100 < 3
}

/// The station has no car for this trip.
#[must_use]
pub fn car_is_refused(trip: TripId) -> bool {
    hash("car", trip) % 100 < 4
}

/// The bank declines this trip's payment.
#[must_use]
pub fn payment_is_declined(trip: TripId) -> bool {
    hash("pay", trip) % 100 < 2
}

/// The price of one seat.
#[must_use]
pub fn seat_price(trip: TripId) -> Cents {
    Cents(6_000 + hash("fare", trip) % 120 * 100)
}

/// The price of a car for one day.
#[must_use]
pub fn car_price(trip: TripId) -> Cents {
    Cents(2_500 + hash("rent", trip) % 35 * 100)
}

fn hash(word: &str, trip: TripId) -> u64 {
    first_eight(&Sha256::digest(format!("{word}/{trip}")))
}

/// The first eight bytes of a digest, big-endian.
pub(super) fn first_eight(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |n, byte| (n << 8) | u64::from(*byte))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The first trip for which something holds.
    pub(crate) fn trip_where(holds: impl Fn(TripId) -> bool) -> TripId {
        (0..10_000).map(TripId).find(|trip| holds(*trip)).unwrap()
    }

    #[test]
    fn the_rules_never_change() {
        assert_eq!(hash("seat", TripId(1)), 0x813d_546c_7abe_980e);
    }

    #[test]
    fn the_shares_are_as_documented() {
        let percent = |rule: fn(TripId) -> bool| (0..10_000).filter(|n| rule(TripId(*n))).count() / 100;
        assert!((2..=3).contains(&percent(seats_are_refused)));
        assert!((3..=4).contains(&percent(car_is_refused)));
        assert!((1..=2).contains(&percent(payment_is_declined)));
    }
}
