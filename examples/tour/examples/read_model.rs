//! Read model: a table that follows the log; stopped, it is behind, and resumed, it goes on where it was.
//! Run it: `cargo run -p tour --example read_model`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::{path::Path, time::Duration};

use palinode::{
    Aggregate, Answer, Client, Node, Service, Token,
    projection::{ApplyError, Of, Projection, ReadModel, Recorded, Tables, Waited},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;
use tour::stock::{Command, Event, Stock};

const SOON: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;

    println!("A table follows the log of the service.");
    let node = open(folder.path()).await?;
    let holders = node.project("travel", Holders).await?;
    hold(&node.client(), "ada").await?;
    let token = hold(&node.client(), "grace").await?;
    // The answer of a command says where its effects will be. Waiting for that is reading one's own writes.
    reached(&holders, &token).await?;
    println!("  rooms are held by: {}", names(&node).await?);
    node.stop(SOON).await;

    println!("\nThe program starts again, without the read model. Commands go on without it.");
    let node = open(folder.path()).await?;
    let token = hold(&node.client(), "alan").await?;
    println!("  rooms are held by: {}   (alan is missing: the table is behind)", names(&node).await?);

    println!(
        "\nIt is resumed. Its checkpoint moved in the same transaction as its rows, so nothing is taken twice."
    );
    let holders = node.project("travel", Holders).await?;
    reached(&holders, &token).await?;
    println!("  rooms are held by: {}", names(&node).await?);
    node.stop(SOON).await;
    Ok(())
}

async fn open(folder: &Path) -> anyhow::Result<Node> {
    Ok(Node::embedded(folder).service(Service::new("travel").aggregate::<Stock>()).start().await?)
}

async fn hold(client: &Client, guest: &str) -> anyhow::Result<Token> {
    match client.execute(Stock::at("rooms").ask(Command::Hold(guest.into()))).await {
        Answer::Accepted(receipt) => Ok(receipt.token),
        other => anyhow::bail!("{guest} got no room: {other:?}"),
    }
}

async fn reached(read_model: &ReadModel, token: &Token) -> anyhow::Result<()> {
    match read_model.wait_for(token, SOON).await {
        Waited::Reached => Ok(()),
        other => anyhow::bail!("the read model does not show it: {other:?}"),
    }
}

async fn names(node: &Node) -> anyhow::Result<String> {
    let sql = "select guest from holder where stock = 'rooms' order by taken";
    let guests: Vec<String> = sqlx::query_scalar(sql).fetch_all(node.read_db()?.readers()).await?;
    Ok(guests.join(", "))
}

/// One row for everything that is held.
struct Holders;

impl Projection<SqliteDb> for Holders {
    const NAME: &'static str = "holders";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["holder"];
    type Event = Of<Stock>;
    /// Changes in the order in which they happened: the stock, the guest, and its number unless it was given back.
    type Batch = Vec<(String, String, Option<i64>)>;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let table = "create table if not exists {holder} (stock text, guest text, taken integer, \
                     primary key (stock, guest)) strict";
        sqlx::raw_sql(tables.sql(table)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Stock>>) -> Result<(), ApplyError> {
        let (guest, taken) = match &*e.event {
            Event::Held(guest) => (guest, i64::try_from(e.version).ok()),
            Event::Released(guest) => (guest, None),
        };
        batch.push((e.entity.id.to_string(), guest.clone(), taken));
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut SqliteConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        for (stock, guest, taken) in batch {
            let sql = match taken {
                Some(_) => "insert into {holder} (stock, guest, taken) values (?1, ?2, ?3)",
                None => "delete from {holder} where stock = ?1 and guest = ?2 and ?3 is null",
            };
            sqlx::query(tables.sql(sql)).bind(stock).bind(guest).bind(taken).execute(&mut *tx).await?;
        }
        Ok(())
    }
}
