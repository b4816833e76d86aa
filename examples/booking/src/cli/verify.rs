//! `booking verify`: computes everything again from the log by code that shares nothing with the engine, and compares.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context;
use serde::Serialize;

use super::{
    Common, progress, report,
    say::{self, Ink, Tone},
};
use crate::audit::{Audit, audit};

/// Unfinished trips named; the rest is only counted.
const NAMED: usize = 10;

#[derive(Serialize)]
struct Result<'a> {
    clean: bool,
    trips: &'a BTreeMap<&'static str, u64>,
    unfinished: usize,
    commits: u64,
    events: u64,
    dead_records: u64,
    messages: u64,
    room_nights: u64,
    charges: u64,
    charged_cents: u64,
    read_models: &'a BTreeMap<&'static str, u64>,
    log_findings: u64,
    differences: u64,
}

/// Audits the data.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    let spinner = progress::spinner("reading the whole log");
    let audited = audit(&place).await;
    spinner.finish_and_clear();
    let audit = audited.with_context(|| format!("the data in {place}"))?;
    let ink = Ink::of_stdout();
    say::part(differences(&audit, ink));
    say::part(summary(&audit, ink));
    if common.json {
        report::json(&result(&audit))?;
    }
    Ok(if audit.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn findings(audit: &Audit) -> u64 {
    u64::try_from(audit.log.findings.len()).unwrap_or(u64::MAX).saturating_add(audit.log.counts.more_findings)
}

/// Everything that is not as it must be, a line each.
fn differences(audit: &Audit, ink: Ink) -> String {
    let mut lines: Vec<String> = audit.log.findings.iter().take(50).map(ToString::to_string).collect();
    lines.extend(audit.differences.iter().cloned());
    let more =
        (findings(audit) + audit.difference_count).saturating_sub(u64::try_from(lines.len()).unwrap_or(0));
    if more > 0 {
        lines.push(format!("and {} more", say::count(more)));
    }
    let named = audit.unfinished.iter().take(NAMED).map(|trip| format!("trip {trip} has not ended"));
    lines.extend(named);
    if audit.unfinished.len() > NAMED {
        lines.push(format!("and {} more have not ended", audit.unfinished.len() - NAMED));
    }
    lines.iter().map(|line| format!("  {}\n", ink.paint(Tone::Bad, line))).collect()
}

fn summary(audit: &Audit, ink: Ink) -> String {
    let (n, count) = (&audit.log.counts, say::count);
    let trips: Vec<_> = audit.trips.iter().map(|(word, n)| format!("{} {word}", count(*n))).collect();
    let models: Vec<_> =
        audit.read_models.iter().map(|(name, rows)| format!("{name} {} rows", count(*rows))).collect();
    let cents = crate::domain::Cents(audit.charged_cents);
    let verdict = if audit.is_clean() {
        ink.paint(Tone::Good, "Everything agrees.")
    } else {
        ink.paint(Tone::Bad, "Not everything agrees.")
    };
    format!(
        "  log           {} commits, {} events, {} messages, {} dead records skipped\n  \
           trips         {}\n  \
           rooms         {} nights taken, none twice\n  \
           bank          {} charges, {cents}\n  \
           read models   {}\n\n  {verdict}",
        count(n.commits),
        count(n.events),
        count(n.accepted),
        count(n.dead),
        if trips.is_empty() { "none".to_owned() } else { trips.join(", ") },
        count(audit.room_nights),
        count(audit.charges),
        models.join(", "),
    )
}

fn result(audit: &Audit) -> Result<'_> {
    Result {
        clean: audit.is_clean(),
        trips: &audit.trips,
        unfinished: audit.unfinished.len(),
        commits: audit.log.counts.commits,
        events: audit.log.counts.events,
        dead_records: audit.log.counts.dead,
        messages: audit.log.counts.accepted,
        room_nights: audit.room_nights,
        charges: audit.charges,
        charged_cents: audit.charged_cents,
        read_models: &audit.read_models,
        log_findings: findings(audit),
        differences: audit.difference_count,
    }
}
