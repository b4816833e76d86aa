//! Read models as they stand: versions, how far each is, parked keys, who did what.

use std::process::ExitCode;

use palinode::{
    checkpoint::{Act, Parked, Version},
    projection::{ReadModel, ShardStatus, State},
};
use serde_json::{Value, json};

use super::{
    super::{
        Common, report,
        say::{self, Ink, Tone},
    },
    Desk,
};

/// All of them, a line each.
pub(super) async fn list(desk: &Desk, common: &Common) -> anyhow::Result<ExitCode> {
    let ink = Ink::of_stdout();
    let (mut lines, mut all) = (Vec::new(), Vec::new());
    for (_, model) in &desk.models {
        let (versions, shards) = (model.versions().await?, model.status());
        lines.push(line(model, &versions, &shards, ink));
        all.push(standing(model, &versions, &shards));
    }
    say::part(format!("\n  {}", ink.paint(Tone::Strong, format!("{} read models", all.len()))));
    say::part(lines.join("\n"));
    if common.json {
        report::json(&json!({ "read_models": all }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One of them, with its parked keys and its history.
pub(super) async fn one(model: &ReadModel, common: &Common) -> anyhow::Result<ExitCode> {
    let ink = Ink::of_stdout();
    let (versions, shards) = (model.versions().await?, model.status());
    let (parked, acts) = (model.parked().await?, model.acts().await?);
    say::part(format!("\n{}", line(model, &versions, &shards, ink)));
    let of_shard =
        |s: &ShardStatus| format!("    shard {}: {}, {} parked", s.shard, state(&s.state), s.parked);
    say::part(shards.iter().map(of_shard).collect::<Vec<_>>().join("\n"));
    say::part(parked.iter().map(|key| parked_line(key, ink)).collect::<Vec<_>>().join("\n"));
    say::part(acts.iter().map(act_line).collect::<Vec<_>>().join("\n"));
    if common.json {
        let mut told = standing(model, &versions, &shards);
        if let Some(told) = told.as_object_mut() {
            told.insert("parked".into(), parked.iter().map(parked_json).collect());
            told.insert("audit".into(), acts.iter().map(act_json).collect());
        }
        report::json(&told)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(model: &ReadModel, versions: &[Version], shards: &[ShardStatus], ink: Ink) -> String {
    let numbers = versions.iter().map(|version| {
        let number = version.version.to_string();
        if version.active { ink.paint(Tone::Strong, format!("{number} (readers)")) } else { number }
    });
    let parked: usize = shards.iter().map(|shard| shard.parked).sum();
    let still = shards.iter().find(|shard| !moves(&shard.state));
    let (tone, how) = match still {
        Some(shard) => (Tone::Bad, format!("shard {}: {}", shard.shard, state(&shard.state))),
        None if parked > 0 => (Tone::Bad, format!("{parked} keys parked")),
        None => (Tone::Good, "up to date".to_owned()),
    };
    let (name, service) = (model.name(), model.service());
    let numbers = numbers.collect::<Vec<_>>().join(", ");
    format!("  {name:<12} of {service:<7} version {numbers}: {}", ink.paint(tone, how))
}

fn moves(state: &State) -> bool {
    !matches!(state, State::Retrying { .. } | State::Stopped { .. })
}

fn state(state: &State) -> String {
    match state {
        State::Elsewhere => "written by another process".into(),
        State::Retrying { why } => format!("tries again: {why}"),
        State::Stopped { why } => format!("stopped: {why}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn parked_line(parked: &Parked, ink: Ink) -> String {
    let Parked { key, held, attempts, error, cause, .. } = parked;
    let key = ink.paint(Tone::Bad, key);
    format!("    {key} is parked: {held} events held, {attempts} tries: {error}\n      cause: {cause}")
}

fn act_line(act: &Act) -> String {
    let Act { verb, about, said, version, .. } = act;
    format!("    {verb} {about} (version {version}), by {}: {}", said.by, said.why)
}

/// How it stands, as data.
pub(super) fn standing(model: &ReadModel, versions: &[Version], shards: &[ShardStatus]) -> Value {
    let version = |version: &Version| {
        let at = version.at.iter().map(|(key, checkpoint)| {
            json!({ "shard": key.shard, "record": checkpoint.position.offset, "pseq": checkpoint.position.pseq })
        });
        json!({ "version": version.version, "active": version.active, "at": at.collect::<Vec<_>>() })
    };
    let shard = |shard: &ShardStatus| json!({ "shard": shard.shard, "state": state(&shard.state), "parked": shard.parked });
    json!({
        "name": model.name(), "service": model.service(),
        "versions": versions.iter().map(version).collect::<Vec<_>>(),
        "shards": shards.iter().map(shard).collect::<Vec<_>>(),
        "keys_parked": shards.iter().map(|shard| shard.parked).sum::<usize>(),
    })
}

/// A parked key, as data.
pub(super) fn parked_json(parked: &Parked) -> Value {
    json!({
        "shard": parked.shard, "key": parked.key, "held": parked.held, "attempts": parked.attempts,
        "cause": parked.cause, "error": parked.error, "since_us": parked.at.0,
    })
}

fn act_json(act: &Act) -> Value {
    json!({
        "time_us": act.at.0, "version": act.version, "verb": act.verb, "about": act.about, "by": act.said.by,
        "why": act.said.why,
    })
}
