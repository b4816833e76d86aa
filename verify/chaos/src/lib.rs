//! Disasters on real processes, a real Kafka and a real PostgreSQL. Processes of a small domain are killed, frozen, cut off
//! and deceived under load, and their servers with them; then a checker that shares no line with the engine reads the log,
//! and holds it against what clients were told and what the tables say.
//!
//! - [`node`] is one of those processes;
//! - a [`Campaign`] lets disasters strike, each on a fresh scene (`disaster/` holds them, a file each), and says what came
//!   of them: [`Verdict`]s.
//!
//! It starts servers of its own and touches no other.

mod campaign;
mod disaster;
mod domain;
mod evidence;
mod judge;
mod load;
mod node;
mod person;
mod place;
mod process;
mod proxy;
mod run;
mod scene;
mod servers;
mod storm;
mod usurper;

pub use campaign::{Campaign, Outcome};
pub use node::{NodeArgs, node};
pub use run::Verdict;

/// A line for the person in front of the terminal.
#[expect(clippy::print_stderr, reason = "a program that takes minutes says how far it is")]
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    eprintln!("{line}");
}
