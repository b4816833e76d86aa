//! A trip to book, and what its guest will do once everything is held.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{Cents, Day, TripId};

/// The data of the saga: what is wanted, and what came back so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trip {
    /// Whose everything is.
    pub(crate) id: TripId,
    /// The room type: `hotel/letter`.
    pub(crate) room: Arc<str>,
    /// The first night.
    pub(crate) first: Day,
    /// How many nights, at least one.
    pub(crate) nights: u16,
    /// The price of a night.
    pub(crate) rate: Cents,
    /// The flight: `country-airport/day`.
    pub(crate) flight: Arc<str>,
    /// How many seats, at least one.
    pub(crate) seats: u16,
    /// The station and day of the car, when one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) car: Option<Arc<str>>,
    /// The price of the room held.
    #[serde(default)]
    pub(crate) room_price: Cents,
    /// The price of the seats held.
    #[serde(default)]
    pub(crate) seat_price: Cents,
    /// The price of the car held.
    #[serde(default)]
    pub(crate) car_price: Cents,
    /// The payment's reference, once it is captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payment: Option<Arc<str>>,
}

impl Trip {
    /// What the guest pays for everything held.
    #[must_use]
    pub(crate) fn total(&self) -> Cents {
        self.room_price + self.seat_price + self.car_price
    }
}

/// What the guest does while the trip waits for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    /// Confirms.
    Confirms,
    /// Cancels.
    Cancels,
    /// Never answers.
    Silent,
}

/// A trip and its guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What to book.
    pub(crate) trip: Trip,
    /// What the guest will do.
    pub(crate) guest: Guest,
}

/// One of the two hotels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hotel {
    /// In Lisbon.
    City,
    /// In the Algarve.
    Resort,
}

/// What a booking form says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form<'a> {
    /// Which hotel.
    pub(crate) hotel: Hotel,
    /// The letter of the room type.
    pub(crate) letter: char,
    /// The first night.
    pub(crate) first: Day,
    /// How many nights; none is a day use, which takes the room for one.
    pub(crate) nights: u16,
    /// The price of a night.
    pub(crate) rate: Cents,
    /// How many people need a seat; a booking that names nobody gets one.
    pub(crate) people: u16,
    /// Where they come from.
    pub(crate) country: &'a str,
    /// Whether they come to the hotel by car.
    pub(crate) parking: bool,
}

impl Form<'_> {
    /// The trip this form asks for.
    #[must_use]
    pub(crate) fn trip(&self, id: TripId) -> Trip {
        let (hotel, airport) = match self.hotel {
            Hotel::City => ("city", "LIS"),
            Hotel::Resort => ("resort", "FAO"),
        };
        let Self { letter, first, country, .. } = self;
        Trip {
            id,
            room: format!("{hotel}/{letter}").into(),
            first: *first,
            nights: self.nights.max(1),
            rate: self.rate,
            flight: format!("{country}-{airport}/{first}").into(),
            seats: self.people.max(1),
            car: self.parking.then(|| format!("{airport}/{first}").into()),
            room_price: Cents::default(),
            seat_price: Cents::default(),
            car_price: Cents::default(),
            payment: None,
        }
    }
}
