//! The simulator: whole worlds of nodes, clients, read models and participants on one thread under virtual time, with
//! faults drawn from a seed, held against a checker, a naive model and an interpreter that share no line with the engine.
//!
//! | room | what |
//! |---|---|
//! | `script`, `program` | everything that will happen to a world, as data, drawn from a seed |
//! | `world`, `clients`, `participants`, `faults` | a script carried out: nodes that die, clients that ask, a world that goes wrong |
//! | `clock`, `control`, `ports`, `store`, `db` | the ports of a node, with everything that can go wrong with them |
//! | `people` | verbs of people at the sagas |
//! | `readers`, `desk` | who reads the read models, and people who rebuild, swap, retry and leave out |
//! | `domain`, `definition`, `read_models` | what runs on the nodes: a booking, random sagas, rows |
//! | `oracle`, `interpreter`, `history`, `trace` | what must be so, and one number for everything that happened |
//! | `run`, `campaign`, `shrink`, `zoo` | one world, many worlds, the smallest world that fails, planted bugs |
//!
//! It knows the engine's public interface only. `oracle/model.rs` and `interpreter.rs` know nothing of it at all.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a simulator may be blunt: what it does wrong is found at once"
)]

mod campaign;
mod clients;
mod clock;
mod control;
mod db;
mod definition;
mod desk;
mod domain;
mod faults;
mod history;
mod interpreter;
mod oracle;
mod participants;
mod people;
mod ports;
mod program;
mod read_models;
mod readers;
mod run;
mod script;
mod shrink;
mod store;
mod trace;
mod world;
mod zoo;

pub use campaign::{Campaign, Caught, Failure, Stopwatch, Summary, campaign, known_seeds, run_zoo};

/// A seed's script, cut as far as it still fails, as JSON, and what is wrong with it; nothing when the seed is well.
#[must_use]
pub fn smallest(seed: u64) -> Option<(String, Vec<String>)> {
    let (script, wrong) = shrink::shrink(&script::Script::draw(seed))?;
    Some((serde_json::to_string(&script).unwrap(), wrong))
}

/// The script of a seed, as JSON.
#[must_use]
pub fn script_of(seed: u64) -> String {
    serde_json::to_string(&script::Script::draw(seed)).unwrap()
}

/// Runs a script that was kept: what is wrong with its world.
///
/// # Errors
/// When the text is no script.
pub fn replay(script: &str) -> Result<Vec<String>, serde_json::Error> {
    run::remember_panics();
    Ok(run::run(&serde_json::from_str(script)?).wrong)
}
