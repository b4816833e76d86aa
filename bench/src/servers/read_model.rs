//! W4 on the servers: a read model built from a log on Kafka into PostgreSQL, beside bare loops that write the same rows with
//! the same statement, as many at the same time.

use std::collections::BTreeMap;

use futures_util::{
    future::try_join_all,
    stream::{self, StreamExt as _, TryStreamExt as _},
};
use palinode::{
    Aggregate, Answer, Client, EntityKey,
    projection::{ApplyError, Of, Projection, Recorded, Tables},
    store::postgres::PgDb,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr};

use super::{FULL, SHARDS, place::Place, work::Work};
use crate::{
    domain::{Command, Hotel, text},
    figure::{Figure, Mark},
    host,
    setting::Setting,
    workload::{AGGREGATES, LAST, STOP, last, shown},
};

/// Events of one transaction, as a projection has it.
const BATCH: usize = 500;
/// Transactions at the same time, as a node has it.
const WRITERS: usize = 4;

/// How often each counter was entered.
struct Entries;

const TABLE: &str = "create table if not exists {entry} (counter text primary key, entries bigint not null)";
const UPSERT: &str = "insert into {entry} as e select * from unnest($1::text[], $2::bigint[]) \
                      on conflict (counter) do update set entries = e.entries + excluded.entries";

type Rows = BTreeMap<String, i64>;

async fn upsert(tx: &mut PgConnection, sql: impl SqlSafeStr, rows: Rows) -> sqlx::Result<()> {
    let (counters, entries): (Vec<String>, Vec<i64>) = rows.into_iter().unzip();
    sqlx::query(sql).bind(counters).bind(entries).execute(tx).await?;
    Ok(())
}

impl Projection<PgDb> for Entries {
    const NAME: &'static str = "entries";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["entry"];
    type Event = Of<Hotel>;
    type Batch = Rows;

    async fn prepare(&self, tx: &mut PgConnection, tables: &Tables) -> Result<(), ApplyError> {
        sqlx::raw_sql(tables.sql(TABLE)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Rows, e: &Recorded<Of<Hotel>>) -> Result<(), ApplyError> {
        *batch.entry(e.entity.id.to_string()).or_default() += 1;
        Ok(())
    }

    async fn write(&self, tx: &mut PgConnection, tables: &Tables, rows: Rows) -> Result<(), ApplyError> {
        Ok(upsert(tx, tables.sql(UPSERT), rows).await?)
    }
}

/// Events a second of a rebuild.
pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let events = setting.size(1_000_000, 50_000);
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for _ in 0..setting.repeat {
        let place = Place::create(Work::Commands, SHARDS, setting).await?;
        let node = place.start().await?;
        fill(&node.client(), events).await?;
        let ends = last(&node.client()).await?;
        let db = node.postgres()?.clone();
        let begun = host::now();
        let entries = node.project_into("hotel", Entries, db.clone()).await?;
        for token in &ends {
            shown(&entries, token).await?;
        }
        ours.push(events as f64 / begun.elapsed().as_secs_f64());
        let sum = "select sum(entries)::bigint from entry";
        let rows: i64 = sqlx::query_scalar(sum).fetch_one(db.readers()).await?;
        anyhow::ensure!(rows == i64::try_from(events + LAST)?, "the rows count {rows} events of {events}");
        node.stop(STOP).await;
        limit.push(bare(&place, events).await?);
        place.remove().await?;
    }
    let name = format!("rebuild from {events} events on Kafka into PostgreSQL");
    let figure = Figure::new("W4", name, "events/s", ours);
    Ok(vec![figure.beside(limit).mark(Mark::RatioAtLeast(0.4))])
}

/// So many events, a commit each.
async fn fill(client: &Client, events: u64) -> anyhow::Result<()> {
    let asks = stream::iter(0..events).map(|n| {
        let ask = Hotel::at((n % AGGREGATES).to_string()).ask(Command::Enter(text()));
        Ok(client.execute(ask).into_future())
    });
    asks.try_for_each_concurrent(FULL, |answer| async {
        match answer.await {
            Answer::Accepted(_) => Ok(()),
            other => anyhow::bail!("a command was answered {other:?}"),
        }
    })
    .await
}

/// Rows a second of bare loops: the batches of each shard in turns, each a transaction, on a few connections.
async fn bare(place: &Place, events: u64) -> anyhow::Result<f64> {
    let mut server = place.connection().await?;
    let bare = |sql: &str| AssertSqlSafe(sql.replace("{entry}", "bare"));
    sqlx::raw_sql(bare(TABLE)).execute(&mut server).await?;
    let shard_of = |n: u64| EntityKey::new(Hotel::KIND, (n % AGGREGATES).to_string()).shard(SHARDS);
    let mut writers = vec![Vec::new(); WRITERS];
    for shard in 0..SHARDS {
        let counters: Vec<u64> = (0..events).filter(|n| shard_of(*n) == shard).collect();
        let batches = counters.chunks(BATCH).map(|batch| {
            let mut rows = Rows::new();
            batch.iter().for_each(|n| *rows.entry((n % AGGREGATES).to_string()).or_default() += 1);
            rows
        });
        if let Some(writer) = writers.get_mut(shard as usize % WRITERS) {
            writer.extend(batches);
        }
    }
    let mut connections = Vec::new();
    for batches in writers {
        connections.push((place.connection().await?, batches));
    }
    let begun = host::now();
    try_join_all(connections.into_iter().map(async |(mut connection, batches): (PgConnection, Vec<Rows>)| {
        for rows in batches {
            let mut tx = connection.begin().await?;
            upsert(&mut tx, bare(UPSERT), rows).await?;
            tx.commit().await?;
        }
        connection.close().await
    }))
    .await?;
    Ok(events as f64 / begun.elapsed().as_secs_f64())
}
