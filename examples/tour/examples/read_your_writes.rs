//! Read your writes: every answer has a token that says where its effects will be; whoever has it can wait for them.
//! Run it: `cargo run -p tour --example read_your_writes`

#![expect(clippy::print_stdout, reason = "it talks to its reader")]

use std::{collections::BTreeMap, time::Duration};

use palinode::{
    Aggregate, Answer, Client, Node, Service, Token, Tokens,
    projection::{ApplyError, Of, Projection, ReadModel, Recorded, Tables, Waited},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;
use tour::stock::{Command, Event, Stock};

const SOON: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let node =
        Node::embedded(folder.path()).service(Service::new("travel").aggregate::<Stock>()).start().await?;
    let taken = node.project("travel", Taken).await?;

    println!("A command is answered with a token. As text it can travel through a web page.");
    let page: String = hold(&node.client(), "rooms", "ada").await?.to_string();
    let token: Token = page.parse()?;
    println!("  the next request waits for it: {}", waited(&taken, &token).await);
    println!("  and sees: {}", all(&node).await?);

    println!("\nSeveral tokens are merged: of each shard the furthest is enough.");
    let mut tokens = Tokens::default();
    for (stock, guest) in [("rooms", "grace"), ("seats", "grace"), ("rooms", "alan")] {
        tokens.merge(&hold(&node.client(), stock, guest).await?);
    }
    for token in tokens.of("travel") {
        println!("  {}", waited(&taken, &token).await);
    }
    println!("  and sees: {}", all(&node).await?);

    println!("\nA wait never just hangs: it says why it was not reached.");
    let later = Token { pseq: token.pseq + 100, ..token.clone() };
    let Waited::NotYet { lag, .. } = taken.wait_for(&later, Duration::from_millis(50)).await else {
        anyhow::bail!("nobody has written that yet")
    };
    println!("  not within 50 ms: {lag} commits behind");
    let elsewhere = Token { log_id: Default::default(), ..token };
    println!("  a token of another log: {}", waited(&taken, &elsewhere).await);
    taken.stop().await;
    println!("  a read model that was stopped: {}", waited(&taken, &later).await);
    node.stop(SOON).await;
    Ok(())
}

async fn hold(client: &Client, stock: &str, guest: &str) -> anyhow::Result<Token> {
    match client.execute(Stock::at(stock).ask(Command::Hold(guest.into()))).await {
        Answer::Accepted(receipt) => Ok(receipt.token),
        other => anyhow::bail!("{guest} got none of the {stock}: {other:?}"),
    }
}

async fn waited(taken: &ReadModel, token: &Token) -> String {
    match taken.wait_for(token, SOON).await {
        Waited::Reached => "reached".into(),
        Waited::NotYet { lag, .. } => format!("not yet, {lag} commits behind"),
        Waited::Parked { key } => format!("{key} is set aside: its rows are stale"),
        Waited::WrongLog { .. } => "wrong log, it is dead and not late".into(),
        Waited::Stopped { .. } => "stopped, it will not be reached".into(),
    }
}

async fn all(node: &Node) -> anyhow::Result<String> {
    let sql = "select stock || ' ' || held from taken order by stock";
    let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(node.read_db()?.readers()).await?;
    Ok(rows.join(", "))
}

/// How many of each stock are held.
struct Taken;

impl Projection<SqliteDb> for Taken {
    const NAME: &'static str = "taken";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["taken"];
    type Event = Of<Stock>;
    type Batch = BTreeMap<String, i64>;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let sql = "create table if not exists {taken} (stock text primary key, held integer) strict";
        sqlx::raw_sql(tables.sql(sql)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Stock>>) -> Result<(), ApplyError> {
        let change = if let Event::Held(_) = *e.event { 1 } else { -1 };
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
