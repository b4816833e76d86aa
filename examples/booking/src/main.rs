//! Books trips through a saga over four services.

#![allow(dead_code, unused_imports, reason = "the saga and the commands come on top")]

mod audit;
mod domain;
mod payment;
mod trips;

fn main() {}
