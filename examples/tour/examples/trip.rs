//! Trip: a saga over two aggregates and a bank. When the bank says no, what was held is given back.
//! Run it: `cargo run -p tour --example trip`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::time::Duration;

use palinode::{Activity, Address, Aggregate, Answer, Attempt, Failure, NoUndo, Node, Perform, Service};
use palinode_sagas::{Saga, SagaClient, SagaService};
use serde::{Deserialize, Serialize};
use tour::stock::{Command, Stock};

/// What the saga knows. The closures below see it, and it is stored in the journal.
#[derive(Serialize, Deserialize)]
struct Trip {
    guest: String,
    card: String,
}

fn book_trip() -> Saga<Trip> {
    Saga::define("book-trip", 1)
        .step("hold-room", |t: &Trip| Stock::at("rooms").ask(Command::Hold(t.guest.clone())))
        .undo(|t, _| Command::Release(t.guest.clone()))
        .step("hold-seat", |t| Stock::at("seats").ask(Command::Hold(t.guest.clone())))
        .undo(|t, _| Command::Release(t.guest.clone()))
        .pivot("pay", |t| Pay { card: t.card.clone() })
        .finish()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let travel = Service::new("travel").aggregate::<Stock>().saga(&book_trip()).perform::<Pay>(Bank);
    let node = Node::embedded(folder.path()).service(travel).start().await?;
    let trips = node.client().sagas("travel", &book_trip());

    for (guest, card) in [("ada", "valid until 2031"), ("grace", "expired")] {
        let trip = Trip { guest: guest.into(), card: card.into() };
        let Answer::Accepted(started) = trips.start(guest, trip).await else { continue };
        if let Some(end) = started.reply.finished().await {
            println!("{guest}'s trip ends {:?}", end?.outcome);
        }
    }
    node.stop(Duration::from_secs(10)).await;

    println!("\nThe journal of grace's trip:");
    let journal = tour::commits(folder.path(), &Address::new("travel", "book-trip", "grace")).await?;
    for event in journal.iter().flat_map(|commit| &commit.events) {
        let data: serde_json::Value = serde_json::from_str(event.data.get())?;
        let word = |key| data.get(key).and_then(|v| v.as_str()).unwrap_or_default();
        println!("{}", format!("  {:<18} {:<10} {}", event.name, word("node"), word("text")).trim_end());
    }
    println!("\nWhat happened to the rooms:");
    for commit in tour::commits(folder.path(), &Stock::at("rooms").address()).await? {
        commit.events.iter().for_each(|event| println!("  {:<18} {}", event.name, event.data));
    }
    Ok(())
}

/// A side effect outside the log: what is asked, as data.
#[derive(Serialize, Deserialize)]
struct Pay {
    card: String,
}

impl Activity for Pay {
    const NAME: &'static str = "pay";
    type Reply = ();
    type Undo = NoUndo;
}

/// Who carries it out.
struct Bank;

impl Perform<Pay> for Bank {
    async fn perform(&self, pay: &Pay, _cx: &Attempt) -> Result<(), Failure> {
        if pay.card == "expired" { Err(Failure::refused("declined", "the card has expired")) } else { Ok(()) }
    }
}
