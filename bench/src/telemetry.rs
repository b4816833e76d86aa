//! What it costs to be seen: the same commands and sagas with nobody told, with metrics, with one trace in a hundred, with all
//! of them, and with a collector that hangs. In time, each run in a pair with one of nobody told; and in instructions, which
//! do not depend on what else the machine does.

mod collector;
mod instructions;
mod pairs;
mod stage;

use crate::{figure::Figure, setting::Setting};

pub(crate) use instructions::count;

/// All of them.
pub(crate) const NAMES: [&str; 2] = ["W13", "W14"];

/// What one of them does, in a line.
pub(crate) fn about(name: &str) -> &'static str {
    match name {
        "W13" => "W1 and W2 with 256 in flight, observed more and more",
        _ => "the same in instructions, counted by callgrind",
    }
}

/// Measures one.
pub(crate) async fn run(name: &str, setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    match name {
        "W13" => pairs::measure(setting).await,
        _ => instructions::measure(setting).await,
    }
}
