//! How fast the embedded log is on this machine, beside a bare loop over the same SQLite: records a second and the
//! median wait of one append.
//!
//! ```sh
//! cargo run --release -p palinode --example log_speed            # in a folder under the system's temporary one
//! cargo run --release -p palinode --example log_speed -- DIR     # on the disk of DIR
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that measures and prints")]

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use palinode::{Append, Log, Micros, Record, SystemClock, Topic, log::sqlite::SqliteLog};
use uuid::Uuid;

/// Bytes of a value: about what a commit of one small event takes.
const VALUE: usize = 300;
/// Shards that are written to.
const SHARDS: u32 = 8;
/// How long each line is measured.
const SPAN: Duration = Duration::from_secs(3);

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = base.join(format!("palinode-log-speed-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    println!("{:<44} {:>12} {:>10} {:>10}", "", "records/s", "p50 us", "p99 us");
    for (rows, at_once) in [(1, 1), (64, 1), (64, 32), (960, 1), (960, 32)] {
        bare(&dir.join(format!("bare-{rows}-{at_once}.db")), rows, at_once)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for callers in [1, 64, 256, 1_024] {
        runtime.block_on(log(&dir.join(format!("log-{callers}")), callers))?;
    }
    Ok(std::fs::remove_dir_all(&dir)?)
}

/// One connection, one thread, `rows` in a transaction, `at_once` of them in a statement.
fn bare(path: &Path, rows: usize, at_once: usize) -> Outcome {
    let db = rusqlite::Connection::open(path)?;
    db.query_row("pragma journal_mode = wal", [], |_| Ok(()))?;
    db.execute_batch(
        "pragma synchronous = full;
         create table record (id integer primary key, crc integer not null, key text not null, value blob not null);",
    )?;
    let places = vec!["(?,?,?)"; at_once].join(",");
    let mut insert = db.prepare(&format!("insert into record (crc, key, value) values {places}"))?;
    let value = vec![b'x'; VALUE];
    let (mut written, mut waits, start) = (0, Vec::new(), Instant::now());
    while start.elapsed() < SPAN {
        let begun = Instant::now();
        db.execute_batch("begin immediate")?;
        for _ in 0..rows / at_once {
            for nth in 0..at_once {
                insert.raw_bind_parameter(nth * 3 + 1, 1)?;
                insert.raw_bind_parameter(nth * 3 + 2, "room/1")?;
                insert.raw_bind_parameter(nth * 3 + 3, &value)?;
            }
            insert.raw_execute()?;
        }
        db.execute_batch("commit")?;
        written += rows as u64;
        waits.push(begun.elapsed());
    }
    print(
        &format!("bare SQLite, {rows} a transaction, {at_once} a statement"),
        written,
        start.elapsed(),
        waits,
    );
    Ok(())
}

/// So many callers, each waiting for its append before the next.
async fn log(dir: &Path, callers: u32) -> Outcome {
    let log = Arc::new(SqliteLog::open(dir, Arc::new(SystemClock))?);
    log.create("speed", SHARDS, Uuid::from_u128(1)).await;
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers).map(|n| tokio::spawn(caller(Arc::clone(&log), n, start))).collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    let span = start.elapsed();
    print(&format!("log, {callers} callers"), waits.len() as u64, span, waits);
    Ok(log.close().await?)
}

async fn caller(
    log: Arc<SqliteLog>,
    n: u32,
    start: Instant,
) -> Result<Vec<Duration>, Box<dyn Error + Send + Sync>> {
    let topic = Topic::events("speed");
    let mut waits = Vec::new();
    while start.elapsed() < SPAN {
        let begun = Instant::now();
        let record = Record::ours("room/1".into(), vec![b'x'; VALUE], Micros(1));
        match log.append(&topic, n % SHARDS, vec![record]).await {
            Append::Appended(_) => waits.push(begun.elapsed()),
            other => return Err(format!("{other:?}").into()),
        }
    }
    Ok(waits)
}

fn print(what: &str, records: u64, span: Duration, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).map_or(0, Duration::as_micros);
    let rate = records as f64 / span.as_secs_f64();
    println!("{what:<44} {rate:>12.0} {:>10} {:>10}", at(50), at(99));
}
