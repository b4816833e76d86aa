//! W4 on the servers: a read model of a row an event, built from a log on Kafka into PostgreSQL, beside bare loops that write
//! the same rows with the same statement, as many in a transaction and as many transactions at the same time.

use futures_util::{
    future::try_join_all,
    stream::{self, TryStreamExt as _},
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

/// Every entry of every counter.
struct Entries;

const TABLE: &str = "create table if not exists {entry} \
                     (counter text, version bigint, primary key (counter, version))";
const INSERT: &str = "insert into {entry} select * from unnest($1::text[], $2::bigint[])";

/// Counters, and which entry of theirs it is.
type Rows = (Vec<String>, Vec<i64>);

async fn insert(tx: &mut PgConnection, sql: impl SqlSafeStr, rows: Rows) -> sqlx::Result<()> {
    sqlx::query(sql).bind(rows.0).bind(rows.1).execute(tx).await?;
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
        batch.0.push(e.entity.id.to_string());
        batch.1.push(i64::try_from(e.version).map_err(|e| ApplyError::broken(e.to_string()))?);
        Ok(())
    }

    async fn write(&self, tx: &mut PgConnection, tables: &Tables, rows: Rows) -> Result<(), ApplyError> {
        Ok(insert(tx, tables.sql(INSERT), rows).await?)
    }
}

/// Events a second of a rebuild: of commits of a hundred events, as the embedded W4 has them, and of one.
pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let hundred = rebuild(setting, setting.size(1_000_000, 50_000), 100).await?;
    let one = rebuild(setting, setting.size(200_000, 20_000), 1).await?;
    Ok(vec![hundred.mark(Mark::RatioAtLeast(0.4)), one])
}

/// From so many events, so many a commit.
async fn rebuild(setting: &Setting, events: u64, each: u32) -> anyhow::Result<Figure> {
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for _ in 0..setting.repeat {
        let place = Place::create(Work::Commands, SHARDS, setting).await?;
        let node = place.start().await?;
        fill(&node.client(), events, each).await?;
        let ends = last(&node.client()).await?;
        let db = node.postgres()?.clone();
        let begun = host::now();
        let entries = node.project_into("hotel", Entries, db.clone()).await?;
        for token in &ends {
            shown(&entries, token).await?;
        }
        ours.push(events as f64 / begun.elapsed().as_secs_f64());
        let rows: i64 = sqlx::query_scalar("select count(*) from entry").fetch_one(db.readers()).await?;
        anyhow::ensure!(rows == i64::try_from(events + LAST)?, "{rows} rows of {events} events");
        node.stop(STOP).await;
        limit.push(bare(&place, events, each).await?);
        place.remove().await?;
    }
    let name = format!("rebuild into PostgreSQL from {events} events on Kafka, {each} a commit");
    Ok(Figure::new("W4", name, "events/s", ours).beside(limit))
}

/// So many events, so many a commit.
async fn fill(client: &Client, events: u64, each: u32) -> anyhow::Result<()> {
    let asks = stream::iter((0..events / u64::from(each)).map(|n| {
        let ask = Hotel::at((n % AGGREGATES).to_string()).ask(Command::EnterTimes(each, text()));
        Ok(client.execute(ask).into_future())
    }));
    let in_flight = FULL / usize::try_from(each)?.min(16);
    asks.try_for_each_concurrent(in_flight, |answer| async {
        match answer.await {
            Answer::Accepted(_) => Ok(()),
            other => anyhow::bail!("a command was answered {other:?}"),
        }
    })
    .await
}

/// The rows of these events, in the transactions of each shard.
fn batches(events: u64, each: u32) -> anyhow::Result<Vec<Vec<Rows>>> {
    let mut shards = vec![Vec::new(); usize::try_from(SHARDS)?];
    for n in 0..events / u64::from(each) {
        let (counter, before) = (n % AGGREGATES, n / AGGREGATES * u64::from(each));
        let shard = EntityKey::new(Hotel::KIND, counter.to_string()).shard(SHARDS);
        if let Some(rows) = shards.get_mut(usize::try_from(shard)?) {
            rows.extend((1..=u64::from(each)).map(|n| (counter.to_string(), before + n)));
        }
    }
    let batch = |rows: &[(String, u64)]| -> anyhow::Result<Rows> {
        let versions = rows.iter().map(|(_, version)| i64::try_from(*version));
        Ok((rows.iter().map(|(counter, _)| counter.clone()).collect(), versions.collect::<Result<_, _>>()?))
    };
    shards.iter().map(|rows| rows.chunks(BATCH).map(batch).collect()).collect()
}

/// Rows a second of bare loops, each of which has its share of the shards.
async fn bare(place: &Place, events: u64, each: u32) -> anyhow::Result<f64> {
    let bare = |sql: &str| AssertSqlSafe(sql.replace("{entry}", "bare"));
    sqlx::raw_sql(bare(TABLE)).execute(&mut place.connection().await?).await?;
    let mut writers = vec![Vec::new(); WRITERS];
    for (shard, batches) in batches(events, each)?.into_iter().enumerate() {
        if let Some(writer) = writers.get_mut(shard % WRITERS) {
            writer.extend(batches);
        }
    }
    let mut connections = Vec::new();
    for batches in writers {
        connections.push((place.connection().await?, batches));
    }
    let begun = host::now();
    try_join_all(connections.into_iter().map(
        async |(mut connection, batches): (PgConnection, Vec<Rows>)| {
            for rows in batches {
                let mut tx = connection.begin().await?;
                insert(&mut tx, bare(INSERT), rows).await?;
                tx.commit().await?;
            }
            connection.close().await
        },
    ))
    .await?;
    Ok(events as f64 / begun.elapsed().as_secs_f64())
}
