//! Hello: one aggregate, a few commands, and what stays of them in the log.
//! Run it: `cargo run -p tour --example hello`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::{collections::BTreeSet, path::Path, time::Duration};

use palinode::{Aggregate, Answer, Client, Context, Node, Service};
use serde::{Deserialize, Serialize};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;

    println!("A node opens an empty folder.");
    let node = open(folder.path()).await?;
    greet(&node.client(), "Ada").await;
    greet(&node.client(), "Grace").await;
    greet(&node.client(), "Ada").await;
    node.stop(Duration::from_secs(10)).await;

    println!("\nIt is stopped, and another one opens the same folder.");
    let node = open(folder.path()).await?;
    greet(&node.client(), "Alan").await;
    node.stop(Duration::from_secs(10)).await;

    println!("\nIt knew of Ada and Grace, because this is what is kept: what happened, in order.");
    show(folder.path()).await
}

async fn open(folder: &Path) -> anyhow::Result<Node> {
    Ok(Node::embedded(folder).service(Service::new("hotel").aggregate::<Lobby>()).start().await?)
}

async fn greet(client: &Client, name: &str) {
    match client.execute(Lobby::at("main-entrance").ask(Greet { name: name.into() })).await {
        Answer::Accepted(receipt) => println!("  {name} comes in: welcome, guest number {}!", receipt.reply),
        Answer::Rejected(no) => println!("  {name} comes in: sorry, {}", no.reply),
        other => println!("  {name} comes in: {other:?}"),
    }
}

/// Prints the commits of the one entity there is, straight from the log.
async fn show(folder: &Path) -> anyhow::Result<()> {
    for commit in tour::commits(folder, &Lobby::at("main-entrance").address()).await? {
        let events = commit.events.iter().map(|e| format!("{} {}", e.name, e.data));
        let events: Vec<String> = events.collect();
        println!("  commit {}: {:?}  {}", commit.pseq, commit.outcome, events.join(", "));
    }
    Ok(())
}

/// Everything a lobby needs to know in order to decide.
#[derive(Default, Serialize, Deserialize)]
struct Lobby {
    guests: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct Greet {
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Event {
    Greeted { name: String },
}

impl Aggregate for Lobby {
    const SERVICE: &'static str = "hotel";
    const KIND: &'static str = "lobby";
    type Command = Greet;
    type Event = Event;
    type Reply = usize;
    type Rejection = String;

    fn decide(&self, command: &Greet, _cx: &Context) -> Result<Vec<Event>, String> {
        if self.guests.contains(&command.name) {
            return Err(format!("{} is here already.", command.name));
        }
        Ok(vec![Event::Greeted { name: command.name.clone() }])
    }

    fn evolve(&mut self, Event::Greeted { name }: &Event) {
        self.guests.insert(name.clone());
    }

    fn reply(&self, _command: &Greet) -> usize {
        self.guests.len()
    }
}
