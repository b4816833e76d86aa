//! The read models of the simulation: the balance of each account, the holders of each slot. A row is fed by one shard.

use std::collections::{BTreeMap, BTreeSet};

use palinode::projection::{ApplyError, Of, Projection, Recorded};

use crate::{
    db::{SimDb, SimTx},
    domain::{Account, Moved, Placed, Slot},
};

/// A row an account.
pub(crate) struct Balances;

impl Projection<SimDb> for Balances {
    const NAME: &'static str = "balances";
    const VERSION: u32 = 1;
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

    async fn write(&self, tx: &mut SimTx, batch: Self::Batch) -> Result<(), ApplyError> {
        for (account, change) in batch {
            let before: i64 = tx.get(Self::NAME, &account).and_then(|n| n.parse().ok()).unwrap_or(0);
            tx.put(Self::NAME, &account, (before + change).to_string());
        }
        Ok(())
    }
}

/// A row a slot: who holds it.
pub(crate) struct Holders;

impl Projection<SimDb> for Holders {
    const NAME: &'static str = "holders";
    const VERSION: u32 = 1;
    type Event = Of<Slot>;
    type Batch = Vec<(String, bool, String)>;

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Slot>>) -> Result<(), ApplyError> {
        let slot = e.entity.id.to_string();
        match &*e.event {
            Placed::Held { by } => batch.push((slot, true, by.clone())),
            Placed::Released { by } => batch.push((slot, false, by.clone())),
            Placed::Confirmed { .. } => {}
        }
        Ok(())
    }

    async fn write(&self, tx: &mut SimTx, batch: Self::Batch) -> Result<(), ApplyError> {
        for (slot, held, by) in batch {
            let row = tx.get(Self::NAME, &slot).unwrap_or_default();
            let mut holders: BTreeSet<&str> = row.split(' ').filter(|h| !h.is_empty()).collect();
            if held {
                holders.insert(&by);
            } else {
                holders.remove(by.as_str());
            }
            let row = holders.into_iter().collect::<Vec<_>>().join(" ");
            tx.put(Self::NAME, &slot, row);
        }
        Ok(())
    }
}
