//! What a person does with a parked key: ask for it, then see what became of it.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use palinode::{Clock, SystemClock, checkpoint::Parked, projection::ReadModel};
use serde_json::json;

use super::{
    super::{
        Common, report,
        say::{self, Ink, Tone},
    },
    Of, show,
};

/// How often one looks whether it is done.
const LOOK: Duration = Duration::from_millis(20);

/// What is to be done.
pub(super) enum What {
    /// Take what this key holds.
    Retry(String),
    /// Take what all keys of this cause hold.
    RetryCause(String),
    /// Leave out the first event of this key.
    Skip(String),
    /// Leave out all events that this key holds now.
    Discard(String),
}

impl What {
    fn is_about(&self, parked: &Parked) -> bool {
        match self {
            Self::Retry(key) | Self::Skip(key) | Self::Discard(key) => parked.key == *key,
            Self::RetryCause(cause) => parked.cause == *cause,
        }
    }
}

/// Does it, and says what is parked afterwards: a failure of the command, if anything of it is.
pub(super) async fn run(model: &ReadModel, what: What, of: &Of, common: &Common) -> anyhow::Result<ExitCode> {
    let said = of.said()?;
    let before: Vec<Parked> = about(model, &what).await?;
    if before.is_empty() {
        bail!("nothing like that is parked: see `booking reads show {}`", model.name());
    }
    for parked in &before {
        match &what {
            What::Retry(key) => model.retry(parked.shard, key, &said).await?,
            What::Skip(_) => model.skip(parked, &said).await?,
            What::Discard(key) => model.discard(parked.shard, key, &said).await?,
            What::RetryCause(_) => {}
        }
    }
    if let What::RetryCause(cause) = &what {
        model.retry_cause(cause, &said).await?;
    }
    let left = settled(model, &what, of.wait.0).await?;
    let ink = Ink::of_stdout();
    let free = before.len().saturating_sub(left.len());
    say::part(format!(
        "\n  {}",
        ink.paint(Tone::Strong, format!("{free} of {} keys are free", before.len()))
    ));
    for Parked { key, error, held, .. } in &left {
        say::part(format!(
            "  {}",
            ink.paint(Tone::Bad, format!("{key} is still parked, {held} events held: {error}"))
        ));
    }
    if common.json {
        let left: Vec<_> = left.iter().map(show::parked_json).collect();
        report::json(&json!({ "name": model.name(), "asked": before.len(), "free": free, "parked": left }))?;
    }
    Ok(if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn about(model: &ReadModel, what: &What) -> anyhow::Result<Vec<Parked>> {
    let mut parked = model.parked().await?;
    parked.retain(|parked| what.is_about(parked));
    Ok(parked)
}

/// What is left once nothing of it is being taken any more; what is there then, when it takes too long.
async fn settled(model: &ReadModel, what: &What, within: Duration) -> anyhow::Result<Vec<Parked>> {
    let until = SystemClock.now().plus(within);
    loop {
        let left = about(model, what).await?;
        if !left.iter().any(|parked| parked.resuming) || SystemClock.now() >= until {
            return Ok(left);
        }
        SystemClock.pass(LOOK).await;
    }
}
