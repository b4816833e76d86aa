//! What can be booked: rooms, seats, cars, as aggregates of three services. Pure: knows nothing of sagas, files or the
//! command line.

pub(crate) mod capacity;
pub(crate) mod car;
pub(crate) mod day;
pub(crate) mod flight;
#[cfg(test)]
pub(crate) mod given;
pub(crate) mod holds;
pub(crate) mod money;
pub(crate) mod room_type;
pub(crate) mod trip_id;

pub(crate) use car::{Car, CarCommand};
pub(crate) use day::Day;
pub(crate) use flight::{Flight, FlightCommand};
pub(crate) use money::Cents;
pub(crate) use room_type::{RoomCommand, RoomType};
pub(crate) use trip_id::TripId;
