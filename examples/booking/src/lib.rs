//! Books trips through a saga over four services: the hotel, the airline, the car station, and the bank outside the log.
//!
//! Public is what another program may run or drive: what can be booked, the saga, the trips and their rules, the bank,
//! the read models. How the example is started, served, driven and checked is its own business.

mod audit;
mod cli;
mod desk;
pub mod domain;
mod http;
mod numbers;
pub mod payment;
mod place;
pub mod read;
pub mod saga;
mod services;
mod telemetry;
pub mod trips;
mod world;

pub use cli::run;
