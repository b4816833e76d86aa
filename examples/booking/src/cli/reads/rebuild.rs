//! Building a read model again beside the version that readers see. Readers are moved by `swap`, when a person has seen
//! how the two differ.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use palinode::{
    checkpoint::Difference,
    projection::{ReadModel, Ready},
};
use serde_json::{Value, json};

use super::{
    super::{
        Common, report,
        say::{self, Ink, Tone},
    },
    Desk, Of,
};

/// How long a version must have kept up with the log.
const CALM: Duration = Duration::from_millis(500);
/// Rows that are shown of each side where the versions differ.
const EXAMPLES: usize = 3;

/// Builds the other version from the first record on, instead of one that was built before.
pub(super) async fn rebuild(desk: &Desk, of: &Of, common: &Common) -> anyhow::Result<ExitCode> {
    let seen = desk.model(of.name)?;
    let said = of.said()?;
    for other in seen.versions().await?.iter().filter(|version| !version.active) {
        seen.remove(other.version, &said).await?;
    }
    let built = desk.start_other(of.name, seen.version()).await?;
    if let Ready::NotYet { why } = built.ready(CALM, of.wait.0).await {
        bail!("version {} is not ready: {why}; go on with --wait SECONDS, or remove it", built.version());
    }
    let differences = built.diff(seen.version(), EXAMPLES).await?;
    say(seen, &built, &differences);
    if common.json {
        report::json(&json!({
            "name": built.name(), "version": built.version(), "readers": seen.version(),
            "differences": differences.iter().filter(|d| !d.is_none()).map(difference).collect::<Vec<_>>(),
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn say(seen: &ReadModel, built: &ReadModel, differences: &[Difference]) {
    let ink = Ink::of_stdout();
    let (name, new, old) = (built.name(), built.version(), seen.version());
    let title = format!("{name}: version {new} is built, beside version {old}");
    say::part(format!("\n  {}", ink.paint(Tone::Strong, title)));
    for table in differences {
        let (ours, theirs) = table.only;
        let (tone, how) = if table.is_none() {
            (Tone::Good, format!("{} rows, the same in both", table.rows.0))
        } else {
            (Tone::Bad, format!("{ours} rows only in version {new}, {theirs} only in version {old}"))
        };
        say::part(format!("    {}: {}", table.table, ink.paint(tone, how)));
    }
    say::part(format!("  move readers: booking reads swap {name} {new} --why ..; or: remove {name} {new}"));
}

fn difference(table: &Difference) -> Value {
    json!({
        "table": table.table, "rows": [table.rows.0, table.rows.1], "only": [table.only.0, table.only.1],
        "examples": [table.examples.0, table.examples.1],
    })
}
