//! The read models of the simulation: the balance of each account, the holders of each slot. A row is fed by one shard.

use std::collections::{BTreeMap, BTreeSet};

use palinode::{
    projection::{ApplyError, Of, Projection, Recorded, Tables},
    store::memory::MemoryTx,
};

use crate::{
    db::SimDb,
    domain::{Account, Moved, Placed, Slot},
};

/// A row an account.
pub(crate) struct Balances;

impl Projection<SimDb> for Balances {
    const NAME: &'static str = "balances";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["balances"];
    type Event = Of<Account>;
    type Batch = BTreeMap<String, i64>;

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Account>>) -> Result<(), ApplyError> {
        let change = match *e.event {
            Moved::Deposited(n) => n,
            Moved::Withdrawn(n) => -n,
        };
        *batch.entry(e.entity.id.to_string()).or_default() += change;
        Ok(())
    }

    async fn write(&self, tx: &mut MemoryTx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let table = tables.name(Self::NAME).to_string();
        for (account, change) in batch {
            let before: i64 = tx.get(&table, &account).and_then(|n| n.parse().ok()).unwrap_or(0);
            tx.put(&table, &account, (before + change).to_string());
        }
        Ok(())
    }
}

/// A row a slot: who holds it.
pub(crate) struct Holders;

impl Projection<SimDb> for Holders {
    const NAME: &'static str = "holders";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["holders"];
    type Event = Of<Slot>;
    type Batch = Vec<(String, bool, String)>;

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Slot>>) -> Result<(), ApplyError> {
        let slot = e.entity.id.to_string();
        match &*e.event {
            Placed::Held { by } => batch.push((slot, true, by.clone())),
            Placed::Released { by } => batch.push((slot, false, by.clone())),
            Placed::Confirmed { .. } | Placed::Flooded(_) => {}
        }
        Ok(())
    }

    async fn write(&self, tx: &mut MemoryTx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let table = tables.name(Self::NAME).to_string();
        for (slot, held, by) in batch {
            let row = tx.get(&table, &slot).unwrap_or_default().to_owned();
            let mut holders: BTreeSet<&str> = row.split(' ').filter(|h| !h.is_empty()).collect();
            if held {
                holders.insert(&by);
            } else {
                holders.remove(by.as_str());
            }
            let row = holders.into_iter().collect::<Vec<_>>().join(" ");
            tx.put(&table, &slot, row);
        }
        Ok(())
    }
}
