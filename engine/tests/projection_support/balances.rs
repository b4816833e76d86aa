//! A projection that keeps balances, and can be told to be hurt. The same for every database: what differs is in `db`.

#![allow(clippy::panic, reason = "a test may be blunt")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use palinode::projection::{ApplyError, Of, Projection, Recorded, Tables};

use crate::{
    db::{BALANCES, Database, MOMENT, Tx},
    journal::{Account, Event},
};

/// One row an account, with its balance and the ids of the events in it. Cents of these amounts hurt.
#[derive(Default)]
pub(crate) struct Balances {
    /// Cannot take what hurts.
    pub(crate) fragile: AtomicBool,
    /// Cannot write more events than this at a time.
    pub(crate) at_most: Option<usize>,
    /// So many writes find the database away.
    pub(crate) outages: AtomicU32,
}

/// Refused by `fold`; panics in `fold`; refused by the table; panics in `write`.
pub(crate) const HURTING: [i64; 4] = [-1, -2, -3, -4];

impl Balances {
    pub(crate) fn fragile() -> Arc<Self> {
        Arc::new(Self { fragile: AtomicBool::new(true), ..Self::default() })
    }

    /// What hurt does not hurt any more.
    pub(crate) fn mend(&self) {
        self.fragile.store(false, Ordering::SeqCst);
    }

    fn is_fragile(&self) -> bool {
        self.fragile.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
pub(crate) struct Changes(BTreeMap<String, (i64, Vec<String>)>);

impl Projection<Database> for Balances {
    const NAME: &'static str = "balances";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["balance"];
    type Event = Of<Account>;
    type Batch = Changes;

    async fn prepare(&self, tx: &mut Tx, tables: &Tables) -> Result<(), ApplyError> {
        sqlx::raw_sql(tables.sql(BALANCES)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Changes, e: &Recorded<Of<Account>>) -> Result<(), ApplyError> {
        let Event::Deposited(cents) = *e.event else { return Ok(()) };
        if self.is_fragile() && cents == -1 {
            return Err(ApplyError::poison("minus one hurts"));
        }
        assert!(!self.is_fragile() || cents != -2, "minus two hurts");
        let row = batch.0.entry(e.entity.id.to_string()).or_default();
        row.0 += cents;
        row.1.push(format!("{}={cents}", e.id()));
        Ok(())
    }

    async fn write(&self, tx: &mut Tx, tables: &Tables, batch: Changes) -> Result<(), ApplyError> {
        let events = batch.0.values().map(|row| row.1.len()).sum::<usize>();
        if self.at_most.is_some_and(|most| events > most) {
            return Err(ApplyError::poison(format!("{events} events hurt together")));
        }
        for (account, (cents, events)) in batch.0 {
            let last =
                if self.is_fragile() && events.iter().any(|e| e.ends_with("=-3")) { -3_i64 } else { 0 };
            sqlx::query(tables.sql(
                "insert into {balance} as b values ($1, $2, $3, $4) on conflict (account) do update set \
                 cents = b.cents + excluded.cents, events = b.events || ' ' || excluded.events, last = excluded.last",
            ))
            .bind(account)
            .bind(cents)
            .bind(events.join(" "))
            .bind(last)
            .execute(&mut *tx)
            .await?;
            assert!(!self.is_fragile() || !events.iter().any(|e| e.ends_with("=-4")), "minus four hurts");
            if self.outages.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                return Err(ApplyError::outage("the database is away"));
            }
        }
        Ok(())
    }
}

/// What the tables hold: account to cents and events.
pub(crate) type Table = BTreeMap<String, (i64, String)>;

/// The table and the checkpoints (shard to offset and number), as one reader sees them at one moment.
pub(crate) async fn tables(db: &Database) -> (Table, BTreeMap<u32, (u64, u64)>) {
    let mut tx = db.readers().begin_with(MOMENT).await.unwrap();
    let rows: Vec<(String, i64, String)> =
        sqlx::query_as("select account, cents, events from balance").fetch_all(&mut *tx).await.unwrap();
    let sql = "select shard, log_offset, pseq from palinode_checkpoint where projection = 'balances'";
    let checkpoints: Vec<(i32, i64, i64)> = sqlx::query_as(sql).fetch_all(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    let rows = rows.into_iter().map(|(account, cents, events)| (account, (cents, events)));
    let at = checkpoints.into_iter().map(|(shard, offset, pseq)| {
        (u32::try_from(shard).unwrap(), (u64::try_from(offset).unwrap(), u64::try_from(pseq).unwrap()))
    });
    (rows.collect(), at.collect())
}
