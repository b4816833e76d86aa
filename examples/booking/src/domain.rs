//! What can be booked: rooms, seats, cars, as aggregates of three services. Pure: knows nothing of sagas, files or the
//! command line.

pub(crate) mod capacity;
pub mod car;
pub mod day;
pub mod flight;
#[cfg(test)]
pub(crate) mod given;
pub(crate) mod holds;
pub mod money;
pub mod room_type;
pub mod trip_id;

pub use car::{Car, CarCommand};
pub use day::Day;
pub use flight::{Flight, FlightCommand};
pub use money::Cents;
pub use room_type::{RoomCommand, RoomType};
pub use trip_id::TripId;
