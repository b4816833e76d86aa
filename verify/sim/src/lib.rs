//! The simulator: whole worlds of nodes, clients, read models and participants on one thread under virtual time, with
//! faults drawn from a seed, held against a checker, a naive model and an interpreter that share no line with the engine.
//!
//! A seed gives a script (`script`), a script is run (`run`), what happened is judged (`oracle`), and a script that fails
//! is cut as long as it fails (`shrink`). It knows the engine's public interface only.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a simulator may be blunt: what it does wrong is found at once"
)]

mod clients;
mod clock;
mod control;
mod db;
mod definition;
mod domain;
mod faults;
mod history;
mod interpreter;
mod oracle;
mod participants;
mod ports;
mod program;
mod read_models;
mod run;
mod script;
mod store;
mod trace;
mod world;

/// Runs one seed, and prints what is wrong.
pub fn try_one(seed: u64) -> (Vec<String>, u64) {
    let script = script::Script::draw(seed);
    if std::env::var("SHOW").is_ok() {
        println!("{}", serde_json::to_string(&script.faults).unwrap());
        let mut s = script.clone();
        s.faults.clear();
        s.clients.clear();
        println!("{}", serde_json::to_string(&s).unwrap());
    }
    let ran = run::run(&script);
    (ran.wrong, ran.trace)
}
