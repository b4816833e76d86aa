//! The read models of the simulation: four tables, two of each service, in up to three versions. A row is fed by one
//! shard. Their code has a mistake that some events meet, until somebody mends it.

use std::{
    collections::BTreeSet,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use palinode::{
    Aggregate,
    projection::{ApplyError, Of, Projection, Recorded, Tables},
    store::memory::MemoryTx,
};
use serde::{Deserialize, Serialize};

use crate::{
    db::SimDb,
    domain::{Account, Moved, Placed, Slot},
};

/// How the code of a projection fails at an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Breaks {
    Fold,
    Panic,
    Write,
}

/// A mistake: which events meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mistake {
    /// One in so many.
    pub(crate) one_in: u64,
    pub(crate) breaks: Breaks,
}

impl Mistake {
    /// Whether this event of this entity meets it. Known to the oracle too.
    pub(crate) fn meets(&self, projection: &str, entity: &str, version: u64) -> bool {
        let text = format!("{projection} {entity} {version}");
        let sum = text.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        (sum >> 3).is_multiple_of(self.one_in)
    }
}

/// What all nodes run, as it is deployed now.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) mistake: Option<Mistake>,
    pub(crate) mended: AtomicBool,
}

impl Code {
    fn breaks<E>(&self, projection: &str, event: &Recorded<E>) -> Option<Breaks> {
        let mistake = self.mistake.filter(|_| !self.mended.load(Ordering::SeqCst))?;
        mistake.meets(projection, &event.entity.id, event.version).then_some(mistake.breaks)
    }
}

/// What a table does with events.
pub(crate) trait Table: Send + Sync + 'static {
    const NAME: &'static str;
    const TABLES: &'static [&'static str];
    type Of: Aggregate;
    type Change: Send + 'static;

    fn change(event: &<Self::Of as Aggregate>::Event) -> Option<Self::Change>;
    fn row(before: &str, change: &Self::Change) -> String;
}

macro_rules! table {
    ($name:ident, $stable:literal, $of:ty, $change:ty) => {
        pub(crate) struct $name;
        impl Table for $name {
            const NAME: &'static str = $stable;
            const TABLES: &'static [&'static str] = &[$stable];
            type Of = $of;
            type Change = $change;

            fn change(event: &<$of as Aggregate>::Event) -> Option<$change> {
                $name::changes(event)
            }
            fn row(before: &str, change: &$change) -> String {
                $name::next(before, change)
            }
        }
    };
}
table!(Balances, "balances", Account, i64);
table!(Turnover, "turnover", Account, i64);
table!(Holders, "holders", Slot, (bool, String));
table!(Visits, "visits", Slot, ());

fn number(row: &str) -> i64 {
    row.parse().unwrap_or(0)
}

impl Balances {
    #[expect(clippy::unnecessary_wraps, reason = "every table says whether an event changes it")]
    fn changes(event: &Moved) -> Option<i64> {
        match *event {
            Moved::Deposited(n) => Some(n),
            Moved::Withdrawn(n) => Some(-n),
        }
    }

    fn next(before: &str, change: &i64) -> String {
        (number(before) + change).to_string()
    }
}

impl Turnover {
    fn changes(event: &Moved) -> Option<i64> {
        match *event {
            Moved::Deposited(n) => Some(n),
            Moved::Withdrawn(_) => None,
        }
    }

    fn next(before: &str, change: &i64) -> String {
        (number(before) + change).to_string()
    }
}

impl Holders {
    fn changes(event: &Placed) -> Option<(bool, String)> {
        match event {
            Placed::Held { by } => Some((true, by.clone())),
            Placed::Released { by } => Some((false, by.clone())),
            Placed::Confirmed { .. } | Placed::Flooded(_) => None,
        }
    }

    fn next(before: &str, (held, by): &(bool, String)) -> String {
        let mut holders: BTreeSet<&str> = before.split(' ').filter(|h| !h.is_empty()).collect();
        if *held {
            holders.insert(by);
        } else {
            holders.remove(by.as_str());
        }
        holders.into_iter().collect::<Vec<_>>().join(" ")
    }
}

impl Visits {
    fn changes(event: &Placed) -> Option<()> {
        matches!(event, Placed::Held { .. }).then_some(())
    }

    fn next(before: &str, (): &()) -> String {
        (number(before) + 1).to_string()
    }
}

/// One version of a table's projection.
pub(crate) struct Model<T, const V: u32>(pub(crate) Arc<Code>, pub(crate) PhantomData<T>);

/// What a batch does: to which row, what, and whether the database will refuse it.
type Changes<T> = Vec<(String, <T as Table>::Change, bool)>;

impl<T: Table, const V: u32> Projection<SimDb> for Model<T, V> {
    const NAME: &'static str = T::NAME;
    const VERSION: u32 = V;
    const TABLES: &'static [&'static str] = T::TABLES;
    type Event = Of<T::Of>;
    type Batch = Changes<T>;

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Self::Event>) -> Result<(), ApplyError> {
        let breaks = self.0.breaks(T::NAME, e);
        match breaks {
            Some(Breaks::Fold) => return Err(ApplyError::poison(format!("event {} hurts", e.version))),
            Some(Breaks::Panic) => std::panic::resume_unwind(Box::new("it hurts")),
            Some(Breaks::Write) | None => {}
        }
        if let Some(change) = T::change(&e.event) {
            batch.push((e.entity.id.to_string(), change, breaks.is_some()));
        }
        Ok(())
    }

    async fn write(&self, tx: &mut MemoryTx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let table = tables.name(T::NAME).to_string();
        for (id, change, refused) in batch {
            if refused {
                return Err(ApplyError::poison(format!("the row of {id} cannot be written")));
            }
            let row = T::row(tx.get(&table, &id).unwrap_or_default(), &change);
            tx.put(&table, &id, row);
        }
        Ok(())
    }
}
