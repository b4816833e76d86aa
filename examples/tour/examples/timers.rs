//! Timers: data in the log. One that falls due while nobody runs fires at the next start: late, never early, and once.
//! Run it: `cargo run -p tour --example timers`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::{path::Path, sync::Arc, time::Duration};

use palinode::{
    Address, Aggregate, Answer, Clock, Node, Service, SystemClock,
    commit::{Cause, Commit, TimerSet},
};
use palinode_sagas::{Saga, SagaClient, SagaService, Sagas};
use serde::{Deserialize, Serialize};
use tour::stock::{Command, Stock};

/// How long the guest sleeps on it before the seat is asked for.
const SLEEPS: Duration = Duration::from_millis(300);

#[derive(Serialize, Deserialize)]
struct Trip {
    guest: String,
}

fn book_trip() -> Saga<Trip> {
    Saga::define("book-trip", 1)
        .step("hold-room", |t: &Trip| Stock::at("rooms").ask(Command::Hold(t.guest.clone())))
        .undo(|t, _| Command::Release(t.guest.clone()))
        .timer("sleep-on-it", SLEEPS)
        .step("hold-seat", |t| Stock::at("seats").ask(Command::Hold(t.guest.clone())))
        .undo(|t, _| Command::Release(t.guest.clone()))
        .deadline(Duration::from_secs(3600)) // a timer too: cleared at the end, so it never fires
        .finish()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (node, trips) = open(folder.path()).await?;
    let Answer::Accepted(started) = trips.start("ada", Trip { guest: "ada".into() }).await else {
        anyhow::bail!("the trip was not started")
    };
    let address = started.reply.address().clone();
    let timer = asleep(folder.path(), &address).await?;
    println!("A timer is set: {}, due {SLEEPS:?} after the room was held.", timer.node);

    node.crash().await;
    SystemClock.wait_until(timer.due.plus(SLEEPS)).await;
    println!("The node crashed. The timer fell due, and nobody was there.");

    let (node, trips) = open(folder.path()).await?;
    let Some(end) = trips.at("ada").finished().await.transpose()? else { anyhow::bail!("the node stopped") };
    node.stop(Duration::from_secs(10)).await;
    println!("Another node opens the folder, and the trip ends {:?}.\n", end.outcome);

    let commits = tour::commits(folder.path(), &address).await?;
    let fired: Vec<&Commit> = commits.iter().filter(|c| matches!(c.cause, Cause::Timer { .. })).collect();
    println!(
        "  set:     {}",
        list(commits.iter().flat_map(|c| c.timers.set.iter().map(|timer| &timer.node)))
    );
    println!("  fired:   {}", list(fired.iter().filter_map(|c| node_of(&c.cause))));
    println!("  early:   {}", fired.iter().filter(|c| c.time < timer.due).count());
    println!(
        "  cleared: {}",
        list(commits.iter().flat_map(|c| c.timers.clear.iter().map(|timer| &timer.node)))
    );
    Ok(())
}

async fn open(folder: &Path) -> anyhow::Result<(Node, Sagas<Trip>)> {
    let travel = Service::new("travel").aggregate::<Stock>().saga(&book_trip());
    let node = Node::embedded(folder).service(travel).start().await?;
    let trips = node.client().sagas("travel", &book_trip());
    Ok((node, trips))
}

/// The timer on which the trip sleeps, once the log has it.
async fn asleep(folder: &Path, trip: &Address) -> anyhow::Result<TimerSet> {
    loop {
        let commits = tour::commits(folder, trip).await?;
        let mut set = commits.into_iter().flat_map(|commit| commit.timers.set);
        if let Some(timer) = set.find(|timer| &*timer.node == "sleep-on-it") {
            return Ok(timer);
        }
        SystemClock.wait_until(SystemClock.now().plus(Duration::from_millis(5))).await;
    }
}

fn node_of(cause: &Cause) -> Option<&Arc<str>> {
    if let Cause::Timer { node, .. } = cause { Some(node) } else { None }
}

fn list<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
