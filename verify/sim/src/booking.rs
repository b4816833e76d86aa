//! The booking example in a world: its services, its saga, its bank and its guests, beside the random sagas and under the
//! same faults. What they decide is written a second time, naively, in `oracle/booking.rs`.

use std::time::Duration;

use ::booking::{
    domain::{Car, CarCommand, Flight, FlightCommand, RoomCommand, RoomType, TripId},
    payment::{CapturePayment, IssueVoucher, VoucherDesk},
    read::{Cars, RoomNights, Seats, Trips},
    saga::{BOOK_TRIP, book_trip},
    trips::Trip,
};
use palinode::{Address, Aggregate, Node, Service};
use palinode_sagas::{Policy, Saga, SagaService, entity::name, verb::Verb};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    db::SimDb,
    follow::follow,
    participants::{Participants, TIMEOUT},
    script::Script,
    world::{self, World},
};

pub(crate) mod bank;
mod draw;
pub(crate) mod rows;

use bank::Bank;
pub(crate) use draw::draw;
use rows::Kept;

/// The services that a world with the booking has more than others.
const SERVICES: [&str; 3] = [RoomType::SERVICE, Flight::SERVICE, Car::SERVICE];

/// What a guest does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Guest {
    Books(Trip),
    Confirms(TripId),
    Cancels(TripId),
}

impl Guest {
    /// To whom, under which name, with what.
    pub(crate) fn message(&self) -> (Address, String, Value) {
        let at = |trip: &TripId| Address::new("trip", BOOK_TRIP, trip.to_string());
        match self {
            Self::Books(trip) => (at(&trip.id), name::START.to_owned(), json!({ "data": trip })),
            Self::Confirms(trip) => {
                let signal = format!("{}confirmed", name::SIGNAL);
                (at(trip), signal, json!({ "id": "guest", "data": {} }))
            }
            Self::Cancels(trip) => {
                let data = json!({ "reason": "changed my mind", "by": "guest" });
                (at(trip), Verb::Cancel.as_str().to_owned(), data)
            }
        }
    }
}

/// What all nodes of a world share of the booking.
pub(crate) struct Booking {
    pub(crate) saga: Saga<Trip>,
    pub(crate) bank: Bank,
}

impl Booking {
    /// The booking of this script, when it has one.
    pub(crate) fn new(script: &Script, line: &Participants) -> Option<Self> {
        let hold = Duration::from_millis(script.booking?);
        Some(Self { saga: book_trip(hold), bank: Bank::new(line.clone()) })
    }

    /// The saga on the service that has all sagas.
    pub(crate) fn join(&self, trip: Service) -> Service {
        let policy = Policy::default().timeout(TIMEOUT);
        trip.perform_with::<CapturePayment>(self.bank.clone(), policy)
            .perform::<IssueVoucher>(VoucherDesk)
            .saga(&self.saga)
    }

    /// The services of what can be booked.
    pub(crate) fn services() -> [Service; 3] {
        [
            Service::new(RoomType::SERVICE).aggregate::<RoomType>(),
            Service::new(Flight::SERVICE).aggregate::<Flight>(),
            Service::new(Car::SERVICE).aggregate::<Car>(),
        ]
    }
}

impl World {
    /// The services of this world.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let more: &[&str] = if self.booking.is_some() { &SERVICES } else { &[] };
        [&world::SERVICES, more].concat()
    }
}

/// Runs the read models of the booking on a node, if there is one.
pub(crate) async fn project(world: &World, node: usize, running: &Node, db: &SimDb) {
    if world.booking.is_some() {
        let rooms = follow(world, node, running, db, RoomType::SERVICE, || Kept(RoomNights));
        let seats = follow(world, node, running, db, Flight::SERVICE, || Kept(Seats));
        let cars = follow(world, node, running, db, Car::SERVICE, || Kept(Cars));
        let trips = follow(world, node, running, db, "trip", || Kept(Trips));
        futures_util::future::join4(rooms, seats, cars, trips).await;
    }
}

/// Questions that give nothing back, to entities of these ids, one a kind: who answers them works.
pub(crate) fn probes(id: impl Fn(&str) -> String) -> [(Address, &'static str, Value); 3] {
    let trip = TripId(0);
    [
        (RoomType::at(id(RoomType::KIND)).address(), RoomType::KIND, json!(RoomCommand::Release { trip })),
        (Flight::at(id(Flight::KIND)).address(), Flight::KIND, json!(FlightCommand::Release { trip })),
        (Car::at(id(Car::KIND)).address(), Car::KIND, json!(CarCommand::Release { trip })),
    ]
}
