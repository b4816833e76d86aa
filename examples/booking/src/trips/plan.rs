//! A trip to book, and what its guest will do once everything is held.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{Cents, Day, TripId};

/// The data of the saga: what is wanted, and what came back so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Whose everything is.
    pub id: TripId,
    /// The room type: `hotel/letter`.
    pub room: Arc<str>,
    /// The first night.
    pub first: Day,
    /// How many nights, at least one.
    pub nights: u16,
    /// The price of a night.
    pub rate: Cents,
    /// The flight: `country-airport/day`.
    pub flight: Arc<str>,
    /// How many seats, at least one.
    pub seats: u16,
    /// The station and day of the car, when one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub car: Option<Arc<str>>,
    /// The price of the room held.
    #[serde(default)]
    pub room_price: Cents,
    /// The price of the seats held.
    #[serde(default)]
    pub seat_price: Cents,
    /// The price of the car held.
    #[serde(default)]
    pub car_price: Cents,
    /// The payment's reference, once it is captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Arc<str>>,
}

impl Trip {
    /// What the guest pays for everything held.
    #[must_use]
    pub fn total(&self) -> Cents {
        self.room_price + self.seat_price + self.car_price
    }
}

/// What the guest does while the trip waits for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// Confirms.
    Confirms,
    /// Cancels.
    Cancels,
    /// Never answers.
    Silent,
}

/// A trip and its guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What to book.
    pub trip: Trip,
    /// What the guest will do.
    pub guest: Guest,
}

/// One of the two hotels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hotel {
    /// In Lisbon.
    City,
    /// In the Algarve.
    Resort,
}

/// What a booking form says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form<'a> {
    /// Which hotel.
    pub hotel: Hotel,
    /// The letter of the room type.
    pub letter: char,
    /// The first night.
    pub first: Day,
    /// How many nights; none is a day use, which takes the room for one.
    pub nights: u16,
    /// The price of a night.
    pub rate: Cents,
    /// How many people need a seat; a booking that names nobody gets one.
    pub people: u16,
    /// Where they come from.
    pub country: &'a str,
    /// Whether they come to the hotel by car.
    pub parking: bool,
}

impl Form<'_> {
    /// The trip this form asks for.
    #[must_use]
    pub fn trip(&self, id: TripId) -> Trip {
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
