//! A projection that keeps one line an account: the ids and cents of its deposits, in order. Deposits of minus one hurt
//! until it is mended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use palinode::{
    checkpoint::{Checkpoint, Db, Key, Transacted, Versions},
    projection::{ApplyError, Of, Projection, Recorded, Tables, Version},
    store::memory::{MemoryDb, MemoryTx},
};

use crate::journal::{Account, Event};

#[derive(Default)]
pub(crate) struct Lines<const V: u32> {
    pub(crate) fragile: Arc<AtomicBool>,
}

impl<const V: u32> Projection<MemoryDb> for Lines<V> {
    const NAME: &'static str = "lines";
    const VERSION: u32 = V;
    const TABLES: &'static [&'static str] = &["line"];
    type Event = Of<Account>;
    type Batch = BTreeMap<String, String>;

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Account>>) -> Result<(), ApplyError> {
        let Event::Deposited(cents) = *e.event else { return Ok(()) };
        if cents == -1 && self.fragile.load(Ordering::SeqCst) {
            return Err(ApplyError::poison("minus one hurts"));
        }
        let line = batch.entry(e.entity.id.to_string()).or_default();
        *line += &entry(e.shard, e.pseq, e.idx, cents);
        Ok(())
    }

    async fn write(&self, tx: &mut MemoryTx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let table = tables.name("line");
        for (account, line) in batch {
            // Somebody else's turn: a runner can die between two rows.
            tokio::task::yield_now().await;
            let before = tx.get(&table, &account).unwrap_or_default().to_owned();
            tx.put(&table, &account, before + &line);
        }
        Ok(())
    }
}

fn entry(shard: u32, pseq: u64, idx: u32, cents: i64) -> String {
    format!("{shard}/{pseq}/{idx}={cents} ")
}

/// A deposit: shard, commit, index, account, cents.
pub(crate) type Deposit = (u32, u64, u32, String, i64);

/// The table as it must be when these shards are that far.
pub(crate) fn naive(deposits: &[Deposit], upto: impl Fn(u32) -> u64) -> BTreeMap<String, String> {
    let mut table: BTreeMap<String, String> = BTreeMap::new();
    for (shard, pseq, idx, account, cents) in deposits {
        if *pseq <= upto(*shard) {
            *table.entry(account.clone()).or_default() += &entry(*shard, *pseq, *idx, *cents);
        }
    }
    table
}

/// The versions there are, each with how far it is.
pub(crate) async fn versions(db: &MemoryDb) -> Vec<Version> {
    loop {
        let found =
            db.transact(Box::new(|tx| Box::pin(async move { MemoryDb::versions(tx, "lines").await })));
        match found.await {
            Transacted::Committed(found) => return found,
            // a fault that was meant for a runner
            Transacted::RolledBack(e) | Transacted::Unknown(e) => assert!(e.what.contains("told to"), "{e}"),
        }
    }
}

/// How far a version is in a shard.
pub(crate) fn upto(version: &Version, shard: u32) -> u64 {
    let at = |(key, at): &(Key, Checkpoint)| (key.shard == shard).then_some(at.position.pseq);
    version.at.iter().find_map(at).unwrap_or(0)
}
