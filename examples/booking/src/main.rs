//! Books trips through a saga over four services: the hotel, the airline, the car station, and the bank outside the log.

use std::process::ExitCode;

mod audit;
mod cli;
mod desk;
mod domain;
mod http;
mod numbers;
mod payment;
mod read;
mod saga;
mod trips;
mod world;

fn main() -> ExitCode {
    cli::run()
}
