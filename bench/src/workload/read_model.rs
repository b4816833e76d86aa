//! W4: a read model built from the log beside a bare loop that writes the same rows; and how far a live one is behind the
//! answers of commands at 5 000 events a second.

use std::{collections::BTreeMap, path::Path, time::Duration};

use hdrhistogram::Histogram;
use palinode::{
    Aggregate, Answer, Client, Token,
    projection::{ApplyError, Of, Projection, ReadModel, Recorded, Tables, Waited},
    store::sqlite::SqliteDb,
};
use rusqlite::Connection;
use sqlx::SqliteConnection;
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{
    child::many,
    domain::{Command, Hotel, counters, text},
    figure::{Figure, Mark},
    host,
    setting::Setting,
    workload::{STOP, node},
};

/// Events of one transaction of the bare loop, as a projection has it.
const BATCH: u64 = 500;
/// Commands enough to meet every shard.
pub(crate) const LAST: u64 = 64;
/// Events a second, for the lag.
const RATE: u64 = 5_000;

/// How often each counter was entered.
struct Entries;

const UPSERT: &str = "insert into {entry} (counter, entries) select value ->> 0, value ->> 1 from json_each(?) where true \
                      on conflict (counter) do update set entries = {entry}.entries + excluded.entries";

impl Projection<SqliteDb> for Entries {
    const NAME: &'static str = "entries";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["entry"];
    type Event = Of<Hotel>;
    type Batch = BTreeMap<String, u64>;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let table =
            "create table if not exists {entry} (counter text primary key, entries integer not null) strict";
        sqlx::raw_sql(tables.sql(table)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Hotel>>) -> Result<(), ApplyError> {
        *batch.entry(e.entity.id.to_string()).or_default() += 1;
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut SqliteConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        let rows: Vec<(String, u64)> = batch.into_iter().collect();
        let rows = serde_json::to_string(&rows).map_err(|e| ApplyError::broken(e.to_string()))?;
        sqlx::query(tables.sql(UPSERT)).bind(rows).execute(tx).await?;
        Ok(())
    }
}

/// Events a second of a rebuild, and the lag of a live one.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let events = setting.size(1_000_000, 50_000);
    let (mut ours, mut limit, mut lag) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting.repeat {
        let dir = tempfile::tempdir()?;
        let running = node(dir.path(), counters()).await?;
        many(&running.client(), events).await?;
        let begun = host::now();
        let entries = running.project("hotel", Entries).await?;
        caught_up(&entries, &running.client()).await?;
        ours.push(events as f64 / begun.elapsed().as_secs_f64());
        lag.push(lag_p99(&running.client(), &entries, setting.time).await?);
        running.stop(STOP).await;
        limit.push(bare(dir.path(), events)?);
    }
    Ok(vec![
        Figure::new("W4", format!("rebuild from {events} events"), "events/s", ours)
            .beside(limit)
            .mark(Mark::RatioAtLeast(0.3)),
        Figure::new("W4", format!("from the answer to the row, p99 at {RATE} events/s"), "ms", lag)
            .mark(Mark::AtMost(50.0)),
    ])
}

/// Until every shard shows a command sent to it now.
async fn caught_up(entries: &ReadModel, client: &Client) -> anyhow::Result<()> {
    for token in last(client).await? {
        shown(entries, &token).await?;
    }
    Ok(())
}

/// Commands to every shard, and where to wait for them.
pub(crate) async fn last(client: &Client) -> anyhow::Result<Vec<Token>> {
    let asks = (0..LAST).map(|n| {
        let ask = Hotel::at(n.to_string()).ask(Command::Enter(text()));
        client.execute(ask).into_future()
    });
    let answers = futures_util::future::join_all(asks).await;
    let token = |answer| match answer {
        Answer::Accepted(receipt) => Ok(receipt.token),
        other => Err(anyhow::anyhow!("a command was answered {other:?}")),
    };
    answers.into_iter().map(token).collect()
}

/// Until the read model shows it.
pub(crate) async fn shown(entries: &ReadModel, token: &Token) -> anyhow::Result<()> {
    match entries.wait_for(token, Duration::from_secs(600)).await {
        Waited::Reached => Ok(()),
        other => anyhow::bail!("the read model does not show it: {other:?}"),
    }
}

/// From the answer of a command until the table shows it, in milliseconds.
async fn lag_p99(client: &Client, entries: &ReadModel, time: Duration) -> anyhow::Result<f64> {
    let (lags, mut measured) = mpsc::unbounded_channel();
    let begun = host::now();
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut n = 0;
    while begun.elapsed() < time {
        tick.tick().await;
        for _ in 0..RATE / 1_000 {
            n += 1;
            let ask = Hotel::at((n % 1_000).to_string()).ask(Command::Enter(text()));
            let (client, entries, lags) = (client.clone(), entries.clone(), lags.clone());
            tokio::spawn(async move {
                let Answer::Accepted(receipt) = client.execute(ask).await else { return };
                let answered = host::now();
                if shown(&entries, &receipt.token).await.is_ok() {
                    // The receiver waits for all of them.
                    lags.send(answered.elapsed()).unwrap_or_default();
                }
            });
        }
    }
    drop(lags);
    let mut all = Histogram::<u64>::new_with_bounds(1, 600_000_000, 3)?;
    while let Some(lag) = measured.recv().await {
        all.saturating_record(u64::try_from(lag.as_micros())?);
    }
    anyhow::ensure!(all.len() == n, "{n} commands were sent and {} became visible", all.len());
    Ok(all.value_at_quantile(0.99) as f64 / 1_000.0)
}

/// Rows a second of a bare loop: the same statement with as many events in a transaction, on a file of its own.
fn bare(dir: &Path, events: u64) -> anyhow::Result<f64> {
    let db = Connection::open(dir.join("bare.db"))?;
    db.query_row("pragma journal_mode = wal", [], |_| Ok(()))?;
    db.execute_batch(
        "pragma synchronous = normal; create table entry (counter text primary key, entries integer not null) strict",
    )?;
    let begun = host::now();
    let mut upsert = db.prepare(&UPSERT.replace("{entry}", "entry"))?;
    for batch in 0..events / BATCH {
        let rows: BTreeMap<String, u64> =
            (0..BATCH).map(|n| (((batch * BATCH + n) % 1_000).to_string(), 1)).collect();
        db.prepare_cached("begin immediate")?.execute([])?;
        upsert.execute([serde_json::to_string(&rows.into_iter().collect::<Vec<_>>())?])?;
        db.prepare_cached("commit")?.execute([])?;
    }
    Ok(events as f64 / begun.elapsed().as_secs_f64())
}
