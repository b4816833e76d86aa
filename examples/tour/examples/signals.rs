//! Signals: a saga that waits for a word of its guest. One comes early, one comes twice, one never comes.
//! Run it: `cargo run -p tour --example signals`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::{sync::Arc, time::Duration};

use palinode::{Activity, Aggregate, Answer, Attempt, Failure, NoUndo, Node, Perform, Service};
use palinode_sagas::{
    Saga, SagaClient, SagaService, Signal, Undo,
    client::{No, Signalled},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tour::stock::{Command, Stock};

#[derive(Serialize, Deserialize)]
struct Trip {
    guest: String,
    wish: Option<String>,
}

/// What a guest says. Signals are told apart by their names, which are stored.
#[derive(Serialize, Deserialize)]
struct Wish(String);

impl Signal for Wish {
    const NAME: &'static str = "wish";
}

fn book_trip() -> Saga<Trip> {
    Saga::define("book-trip", 1)
        .step("hold-room", |t: &Trip| Stock::at("rooms").ask(Command::Hold(t.guest.clone())))
        .undo(|t, _| Command::Release(t.guest.clone()))
        .step("clean-room", |t| Clean { guest: t.guest.clone() })
        .nothing_to_undo("a clean room does no harm")
        .wait::<Wish>("wish", Duration::from_millis(500))
        .save(|t, Wish(wish)| t.wish = Some(wish.clone()))
        .on_timeout(Undo)
        .finish()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let doors = Arc::new(Semaphore::new(0));
    let travel = Service::new("travel").aggregate::<Stock>().saga(&book_trip());
    let travel = travel.perform::<Clean>(Maid(Arc::clone(&doors)));
    let node = Node::embedded(folder.path()).service(travel).start().await?;
    let trips = node.client().sagas("travel", &book_trip());
    for guest in ["ada", "grace"] {
        let Answer::Accepted(_) = trips.start(guest, Trip { guest: guest.into(), wish: None }).await else {
            anyhow::bail!("the trip was not started")
        };
    }

    println!("The rooms are still being cleaned; nothing waits for a wish yet.");
    let ada = trips.at("ada");
    println!("  ada, wish 1: {}", said(&ada.signal_once("wish-1", Wish("a view of the sea".into())).await));
    println!("  ada, wish 1: {}", said(&ada.signal_once("wish-1", Wish("a view of the sea".into())).await));
    doors.add_permits(2);

    println!("The rooms are clean. Ada has spoken; Grace never does.");
    for guest in ["ada", "grace"] {
        let Some(end) = trips.at(guest).finished().await.transpose()? else {
            anyhow::bail!("the node stopped")
        };
        println!("  {guest}: {:?}, with {}", end.outcome, end.data.wish.as_deref().unwrap_or("no wish"));
    }
    println!("  grace, too late: {}", said(&trips.at("grace").signal(Wish("breakfast".into())).await));
    node.stop(Duration::from_secs(10)).await;
    Ok(())
}

fn said(answer: &Answer<Signalled, No>) -> String {
    match answer {
        Answer::Accepted(receipt) => format!("{:?}", receipt.reply),
        Answer::Rejected(no) => format!("no, {}", no.reply),
        other => format!("{other:?}"),
    }
}

#[derive(Serialize, Deserialize)]
struct Clean {
    guest: String,
}

impl Activity for Clean {
    const NAME: &'static str = "clean";
    type Reply = ();
    type Undo = NoUndo;
}

/// Cleans as soon as a door is opened.
struct Maid(Arc<Semaphore>);

impl Perform<Clean> for Maid {
    async fn perform(&self, _clean: &Clean, _cx: &Attempt) -> Result<(), Failure> {
        match self.0.acquire().await {
            Ok(door) => door.forget(),
            Err(e) => return Err(Failure::Unknown(e.to_string().into())),
        }
        Ok(())
    }
}
