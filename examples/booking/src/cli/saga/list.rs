//! Sagas and what they wait for, from saga rows, which are brought up to the log first.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use clap::{Args, ValueEnum};
use palinode_sagas::view::{SagaRow, Standing, rows};

use palinode_verify::{Source, commits, record::Outcome};
use serde::Deserialize;

use super::{
    super::{
        Common, report,
        say::{self, Ink, Tone},
    },
    open,
};
use crate::{place::Place, saga::BOOK_TRIP, world::World};

/// Which sagas are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Everything that has not ended
    Live,
    /// Nothing moves without a person
    Stuck,
    /// They stand still
    Paused,
    /// Set aside, because they cannot be run
    Parked,
    /// Something of them may stand that nobody takes back
    Leaks,
    /// Before the pivot
    Forward,
    /// The pivot is asked
    Committing,
    /// The pivot is done
    Finishing,
    /// They are taken back
    Undoing,
    /// Everything was done
    Completed,
    /// Everything was taken back
    Compensated,
    /// Stopped by a person
    Killed,
}

#[derive(Debug, Clone, Args)]
pub(in super::super) struct ListArgs {
    /// Which of them
    #[arg(long, value_enum, default_value = "live")]
    status: Which,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

/// Lists sagas.
///
/// # Errors
/// When the folder is in use, or the rows cannot be read.
pub(super) async fn run(args: &ListArgs, common: &Common) -> anyhow::Result<ExitCode> {
    let world = Arc::new(open(common).await?);
    world.services().sagas_model().await?.caught_up().await;
    let mut found = match (world.services().shared(), world.services().node()) {
        (Some(db), _) => found(db, args).await?,
        (None, Some(node)) => found(node.read_db()?, args).await?,
        (None, None) => Vec::new(),
    };
    World::close(world).await;
    let aside =
        if args.status == Which::Parked { set_aside(common.place()?).await? } else { BTreeMap::new() };
    found.retain(|row| !aside.contains_key(&row.id));
    let ink = Ink::of_stdout();
    let title = format!("{} sagas, {:?}", found.len() + aside.len(), args.status).to_lowercase();
    say::part(format!("\n  {}", ink.paint(Tone::Strong, title)));
    let by_the_engine = aside.iter().map(|(id, why)| format!("  {id}  parked by the engine: {why}"));
    say::part(found.iter().map(|row| line(row, ink)).chain(by_the_engine).collect::<Vec<_>>().join("\n"));
    if common.json {
        let of_the_engine = |(id, why): (&String, &String)| serde_json::json!({ "id": id, "parked": why });
        let sagas: Vec<_> = found.iter().map(json).chain(aside.iter().map(of_the_engine)).collect();
        report::json(&serde_json::json!({ "sagas": sagas }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the engine has set aside, by id, and why. It leaves no entry in the journal, so no row knows of it: the log does.
async fn set_aside(place: Place) -> anyhow::Result<BTreeMap<String, String>> {
    tokio::task::spawn_blocking(move || set_aside_in(&*place.log()?)).await?
}

fn set_aside_in(log: &dyn Source) -> anyhow::Result<BTreeMap<String, String>> {
    let mut aside = BTreeMap::new();
    for partition in log.partitions().iter().filter(|p| &*p.service == "trip") {
        for commit in commits(log, "trip", partition.shard) {
            let commit = commit?;
            let Some(entity) = commit.entity().filter(|entity| entity.kind == BOOK_TRIP) else { continue };
            let stored = commit.commit.outcome == Outcome::Parked && commit.commit.events.is_empty();
            if stored {
                let why = commit.commit.answer.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok());
                let why = why.map_or_else(String::new, |Refused { text }: Refused| text);
                aside.entry(entity.id.clone()).or_insert(why);
            } else if commit.commit.outcome != Outcome::Parked {
                aside.remove(&entity.id);
            }
        }
    }
    Ok(aside)
}

#[derive(Deserialize)]
struct Refused {
    text: String,
}

async fn found(db: &impl rows::Reads, args: &ListArgs) -> anyhow::Result<Vec<SagaRow>> {
    let standings: &[Standing] = match args.status {
        Which::Paused => return Ok(rows::paused(db, args.limit, None).await?),
        Which::Parked => return Ok(rows::parked(db, args.limit, None).await?),
        Which::Leaks => return Ok(rows::leaks(db, args.limit, None).await?),
        Which::Live => &[
            Standing::Stuck,
            Standing::None,
            Standing::Forward,
            Standing::Committing,
            Standing::Finishing,
            Standing::Undoing,
        ],
        Which::Stuck => &[Standing::Stuck],
        Which::Forward => &[Standing::Forward],
        Which::Committing => &[Standing::Committing],
        Which::Finishing => &[Standing::Finishing],
        Which::Undoing => &[Standing::Undoing],
        Which::Completed => &[Standing::Completed],
        Which::Compensated => &[Standing::Compensated],
        Which::Killed => &[Standing::Killed],
    };
    let mut all = Vec::new();
    for standing in standings {
        let room = args.limit.saturating_sub(u32::try_from(all.len()).unwrap_or(u32::MAX));
        all.extend(rows::list_of(db, BOOK_TRIP, *standing, room, None).await?);
    }
    Ok(all)
}

/// One saga: where it stands, and what it waits for.
fn line(row: &SagaRow, ink: Ink) -> String {
    let status = ink.paint(tone(row), format!("{:<12}", row.status.as_str()));
    let mut words = Vec::new();
    for (what, said) in [("parked", &row.parked), ("paused", &row.paused), ("leaks", &row.leaks)] {
        words.extend(said.as_ref().map(|said| format!("{what}: {said}")));
    }
    if let (Some(node), Some(waits)) = (&row.node, &row.waiting_for) {
        words.push(format!("{node} waits for {waits}"));
    }
    words.extend(row.killed.as_ref().map(|killed| format!("killed by {killed}")));
    if row.exceptions > 0 {
        words.push(format!("{} closed by a person", row.exceptions));
    }
    format!("  {}  {status} {}", row.id, words.join("; "))
}

fn tone(row: &SagaRow) -> Tone {
    match row.status {
        _ if row.parked.is_some() || row.leaks.is_some() => Tone::Bad,
        Standing::Stuck | Standing::Killed => Tone::Bad,
        Standing::Completed => Tone::Good,
        Standing::Undoing | Standing::Compensated => Tone::Back,
        _ => Tone::Faint,
    }
}

fn json(row: &SagaRow) -> serde_json::Value {
    serde_json::json!({
        "id": row.id, "status": row.status.as_str(), "node": row.node, "waiting_for": row.waiting_for,
        "parked": row.parked, "paused": row.paused, "killed": row.killed, "leaks": row.leaks,
        "exceptions": row.exceptions, "last_error": row.last_error, "why": row.why, "why_node": row.why_node,
        "since_us": row.since.0, "started_us": row.started_at.map(|at| at.0), "ended_us": row.ended_at.map(|at| at.0),
    })
}
