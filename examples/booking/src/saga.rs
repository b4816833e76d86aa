//! The saga that books a trip. Everything before the payment can be taken back, everything after it will be done.
//!
//! ```text
//! hold-room ─┬─ hold-seat ─┬─ guest ═ capture-payment ═ confirm-room ─ confirm-seat ─ confirm-car? ─ issue-voucher
//!            └─ hold-car? ─┘
//! ```
//!
//! A car is wanted only by those who come by car. The wait for the guest ends by the guest's word, or by its timeout:
//! then the trip is taken back.

use std::time::Duration;

use palinode::Aggregate;
use palinode_sagas::{Saga, Signal, Undo};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Car, CarCommand, Flight, FlightCommand, RoomCommand, RoomType},
    payment::{CapturePayment, IssueVoucher},
    trips::Trip,
};

/// The name of the saga, which is the kind of its instances.
pub const BOOK_TRIP: &str = "book-trip";

/// The guest wants the trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {}

impl Signal for Confirmed {
    const NAME: &'static str = "confirmed";
}

/// The definition; a trip waits this long for its guest.
pub fn book_trip(hold: Duration) -> Saga<Trip> {
    Saga::define(BOOK_TRIP, 1)
        .step("hold-room", |t: &Trip| {
            let (trip, first, nights, rate) = (t.id, t.first, t.nights, t.rate);
            RoomType::at(t.room.clone()).ask(RoomCommand::Hold { trip, first, nights, rate })
        })
        .save(|t, held| t.room_price = held.price)
        .undo(|t, _| RoomCommand::Release { trip: t.id })
        .parallel(|p| {
            p.step("hold-seat", |t| {
                Flight::at(t.flight.clone()).ask(FlightCommand::Hold { trip: t.id, seats: t.seats })
            })
            .save(|t, held| t.seat_price = held.price)
            .undo(|t, _| FlightCommand::Release { trip: t.id })
            .step("hold-car", |t| Car::at(station(t)).ask(CarCommand::Hold { trip: t.id, days: t.nights }))
            .when(|t| t.car.is_some())
            .save(|t, held| t.car_price = held.price)
            .undo(|t, _| CarCommand::Release { trip: t.id })
        })
        .wait::<Confirmed>("guest", hold)
        .on_timeout(Undo)
        .pivot("capture-payment", |t| CapturePayment { trip: t.id, amount: t.total() })
        .save(|t, captured| t.payment = Some(captured.reference.as_str().into()))
        .retriable("confirm-room", |t| RoomType::at(t.room.clone()).ask(RoomCommand::Confirm { trip: t.id }))
        .retriable("confirm-seat", |t| {
            Flight::at(t.flight.clone()).ask(FlightCommand::Confirm { trip: t.id })
        })
        .retriable("confirm-car", |t| Car::at(station(t)).ask(CarCommand::Confirm { trip: t.id }))
        .when(|t| t.car.is_some())
        .retriable("issue-voucher", |t| IssueVoucher { trip: t.id })
        .finish()
}

/// The station of the car; asked for only when the trip wants one.
fn station(trip: &Trip) -> std::sync::Arc<str> {
    trip.car.clone().unwrap_or_else(|| "none".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cents, Day, TripId};

    #[test]
    fn the_definition_has_no_mistake() {
        assert_eq!(book_trip(Duration::from_secs(1)).check(), Ok(()));
    }

    #[test]
    fn what_the_closures_build_is_what_was_released() {
        let day = Day::of(2030, 1, 8).unwrap();
        let with_car = Trip {
            id: TripId(7),
            room: "resort/D".into(),
            first: day,
            nights: 2,
            rate: Cents(14_900),
            flight: "PRT-FAO/2030-01-08".into(),
            seats: 3,
            car: Some("FAO/2030-01-08".into()),
            room_price: Cents(29_800),
            seat_price: Cents(36_000),
            car_price: Cents(9_000),
            payment: None,
        };
        let without = Trip { car: None, car_price: Cents(0), ..with_car.clone() };
        let golden = book_trip(Duration::from_secs(1)).samples([with_car, without]).golden().unwrap();
        assert_eq!(golden, include_str!("saga/book-trip.1.golden"));
    }
}
