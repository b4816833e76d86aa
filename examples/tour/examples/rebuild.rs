//! Rebuild: a new version of a read model is built beside the one people look at, compared, and swapped in at once.
//! Run it: `cargo run -p tour --example rebuild`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::{collections::BTreeMap, time::Duration};

use palinode::{
    Aggregate, Answer, Node, Service, Token,
    projection::{ApplyError, Of, Projection, Ready, Recorded, Said, Tables, Waited},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;
use tour::stock::{Command, Event, Stock};

const SOON: Duration = Duration::from_secs(10);
/// How long a version has to keep up with the log before it is ready; a minute, where it matters.
const CALM: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let node =
        Node::embedded(folder.path()).service(Service::new("travel").aggregate::<Stock>()).start().await?;

    println!("Version 1 of the read model forgets what is given back.");
    let one = node.project("travel", Taken::<1>).await?;
    for guest in ["ada", "grace", "alan"] {
        ask(&node, Command::Hold(guest.into())).await?;
    }
    let token = ask(&node, Command::Release("alan".into())).await?;
    anyhow::ensure!(one.wait_for(&token, SOON).await == Waited::Reached, "version 1 is late");
    println!("  readers see: {}", rooms(&node).await?);

    println!("\nVersion 2 is started beside it: in tables of its own, from the first record on.");
    let two = node.project("travel", Taken::<2>).await?;
    anyhow::ensure!(two.ready(CALM, SOON).await == Ready::Yes, "version 2 is not ready");
    println!("  readers see: {}", rooms(&node).await?);
    for found in two.diff(1, 1).await? {
        println!(
            "  {}: version 2 has {:?}, version 1 has {:?}",
            found.table, found.examples.0, found.examples.1
        );
    }

    println!("\nReaders are moved in one transaction. What they could see before, they can see now.");
    two.swap(2, SOON, &Said::new("ada", "version 1 forgets what is given back")).await?;
    println!("  readers see: {}", rooms(&node).await?);

    println!("\nBoth versions go on, so one can go back, and forward again.");
    let token = ask(&node, Command::Hold("edsger".into())).await?;
    for (version, why) in [(1, "just to show it"), (2, "shown")] {
        two.swap(version, SOON, &Said::new("ada", why)).await?;
        anyhow::ensure!(one.wait_for(&token, SOON).await == Waited::Reached, "it is late");
        println!("  readers see: {}", rooms(&node).await?);
    }

    println!("\nThe old one is taken away, by an explicit word. All of it is recorded.");
    two.remove(1, &Said::new("ada", "nobody wants it back")).await?;
    for act in two.acts().await? {
        println!("  {} {} ({}: {})", act.verb, act.about, act.said.by, act.said.why);
    }
    node.stop(SOON).await;
    Ok(())
}

async fn ask(node: &Node, command: Command) -> anyhow::Result<Token> {
    match node.client().execute(Stock::at("rooms").ask(command)).await {
        Answer::Accepted(receipt) => Ok(receipt.token),
        other => anyhow::bail!("not accepted: {other:?}"),
    }
}

/// What readers ask is the same for every version.
async fn rooms(node: &Node) -> anyhow::Result<String> {
    let sql = "select held from taken where stock = 'rooms'";
    let held: i64 = sqlx::query_scalar(sql).fetch_one(node.read_db()?.readers()).await?;
    Ok(format!("{held} rooms taken"))
}

/// How many of each stock are held.
struct Taken<const V: u32>;

impl<const V: u32> Projection<SqliteDb> for Taken<V> {
    const NAME: &'static str = "taken";
    const VERSION: u32 = V;
    const TABLES: &'static [&'static str] = &["taken"];
    type Event = Of<Stock>;
    type Batch = BTreeMap<String, i64>;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let sql = "create table if not exists {taken} (stock text primary key, held integer) strict";
        sqlx::raw_sql(tables.sql(sql)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Stock>>) -> Result<(), ApplyError> {
        let change = match *e.event {
            Event::Held(_) => 1,
            Event::Released(_) if V == 1 => 0,
            Event::Released(_) => -1,
        };
        *batch.entry(e.entity.id.to_string()).or_default() += change;
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut SqliteConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        let sql = "insert into {taken} values (?1, ?2) on conflict do update set held = held + ?2";
        for (stock, change) in batch {
            sqlx::query(tables.sql(sql)).bind(stock).bind(change).execute(&mut *tx).await?;
        }
        Ok(())
    }
}
