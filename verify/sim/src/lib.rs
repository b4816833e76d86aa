//! The simulator: whole worlds of nodes, clients, read models and participants on one thread under virtual time, with
//! faults drawn from a seed, held against a checker, a naive model and an interpreter that share no line with the engine.
//!
//! | room | what |
//! |---|---|
//! | `script`, `program` | everything that will happen to a world, as data, drawn from a seed |
//! | `world`, `clients`, `participants`, `faults`, `post` | a script carried out: nodes that die, clients that ask, a world that goes wrong |
//! | `ruin` | a log that is no sound log any more, and who has to stop |
//! | `clock`, `control`, `ports`, `store`, `db` | the ports of a node, with everything that can go wrong with them |
//! | `booking` | the booking example, its bank and its guests, in one world of five |
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

mod booking;
mod campaign;
mod clients;
mod clock;
mod control;
mod db;
mod definition;
mod desk;
mod domain;
mod faults;
mod follow;
mod history;
mod interpreter;
mod oracle;
mod participants;
mod people;
mod ports;
mod post;
mod program;
mod read_models;
mod readers;
mod ruin;
mod run;
mod script;
mod shrink;
mod spans;
mod store;
mod trace;
mod world;
mod zoo;

pub use campaign::{Campaign, Caught, Failure, Stopwatch, Summary, campaign, known_seeds, run_zoo};

/// A script that was cut as far as it still fails.
#[derive(Debug, Clone)]
pub struct Smallest {
    /// The script, as JSON.
    pub script: String,
    /// The script, for people.
    pub told: String,
    /// What is wrong with its world.
    pub wrong: Vec<String>,
    /// How many things are done in it: by clients, and to it.
    pub actions: usize,
    /// How many were done in the whole script.
    pub of: usize,
    /// How many runs the cut took.
    pub runs: usize,
}

/// Cuts a seed's script as far as it still fails in the same way, perhaps with a planted bug; nothing when it does not
/// fail, or there is no such bug.
#[must_use]
pub fn smallest(seed: u64, bug: Option<&str>) -> Option<Smallest> {
    let bug = match bug {
        Some(name) => Some(zoo::find(name)?),
        None => None,
    };
    let whole = script::Script::draw(seed);
    let shrink::Cut { script, wrong, runs } = shrink::shrink(&whole, bug)?;
    Some(Smallest {
        script: serde_json::to_string_pretty(&script).unwrap(),
        told: script.to_string(),
        wrong,
        actions: script.actions(),
        of: whole.actions(),
        runs,
    })
}

/// The script of a seed, as JSON.
#[must_use]
pub fn script_of(seed: u64) -> String {
    serde_json::to_string(&script::Script::draw(seed)).unwrap()
}

/// Runs a script that was kept, perhaps with a planted bug: what is wrong with its world.
///
/// # Errors
/// When the text is no script.
pub fn replay(script: &str, bug: Option<&str>) -> Result<Vec<String>, serde_json::Error> {
    run::remember_panics();
    let script = serde_json::from_str(script)?;
    Ok(match bug.and_then(zoo::find) {
        Some(bug) => zoo::with(bug, || run::run(&script).wrong),
        None => run::run(&script).wrong,
    })
}
