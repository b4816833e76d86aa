//! The example's read models on the simulated database: its own folds, its events, its batches; only the statement that
//! adds a batch to the rows is written again, because there is no SQL here.

use std::collections::BTreeMap;

use ::booking::{
    read::{Cars, RoomNights, Seats, Trips},
    saga::BOOK_TRIP,
};
use palinode::{
    checkpoint::Key,
    projection::{ApplyError, Projection, Recorded, Tables},
    store::{memory::MemoryTx, sqlite::SqliteDb},
};
use serde_json::{Value, json};

use crate::db::SimDb;

/// Each read model: the service it reads, its name, its table.
pub(crate) const ALL: [(&str, &str, &str); 4] = [
    ("hotel", "room-nights", "room_night_v1"),
    ("flight", "seats", "seat_v1"),
    ("car", "cars", "rental_v1"),
    ("trip", "trips", "trip_v1"),
];

/// Whether this is a checkpoint of one of them.
pub(crate) fn is_one(key: &Key) -> bool {
    ALL.iter().any(|(_, projection, _)| *projection == &*key.projection)
}

type BatchOf<P> = <P as Projection<SqliteDb>>::Batch;
type EventOf<P> = <P as Projection<SqliteDb>>::Event;

/// A read model of the example, kept in memory.
pub(crate) struct Kept<P>(pub(crate) P);

/// How a batch becomes rows.
trait Write: Projection<SqliteDb> {
    fn write(tx: &mut MemoryTx, table: &str, batch: BatchOf<Self>);
}

impl<P: Write> Projection<SimDb> for Kept<P>
where
    P: Sync,
{
    const NAME: &'static str = P::NAME;
    const VERSION: u32 = P::VERSION;
    const TABLES: &'static [&'static str] = P::TABLES;
    type Event = EventOf<P>;
    type Batch = BatchOf<P>;

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Self::Event>) -> Result<(), ApplyError> {
        // The example's service has one kind of saga; here it has random ones beside it.
        let of_another_saga =
            P::NAME == <Trips as Projection<SqliteDb>>::NAME && *e.entity.kind != *BOOK_TRIP;
        if of_another_saga { Ok(()) } else { self.0.fold(batch, e) }
    }

    async fn write(&self, tx: &mut MemoryTx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        if let Some(table) = P::TABLES.first() {
            <P as Write>::write(tx, &tables.name(table).to_string(), batch);
        }
        Ok(())
    }
}

fn add(tx: &mut MemoryTx, table: &str, key: &str, more: i64) {
    let before: i64 = tx.get(table, key).and_then(|n| n.parse().ok()).unwrap_or(0);
    tx.put(table, key, (before + more).to_string());
}

impl Write for RoomNights {
    fn write(tx: &mut MemoryTx, table: &str, batch: BatchOf<Self>) {
        batch.into_iter().for_each(|((room, night), more)| add(tx, table, &format!("{room}/{night}"), more));
    }
}

impl Write for Seats {
    fn write(tx: &mut MemoryTx, table: &str, batch: BTreeMap<String, i64>) {
        batch.into_iter().for_each(|(flight, more)| add(tx, table, &flight, more));
    }
}

impl Write for Cars {
    fn write(tx: &mut MemoryTx, table: &str, batch: BTreeMap<String, i64>) {
        batch.into_iter().for_each(|(station, more)| add(tx, table, &station, more));
    }
}

impl Write for Trips {
    fn write(tx: &mut MemoryTx, table: &str, batch: BatchOf<Self>) {
        for (trip, change) in batch {
            let before: Value =
                tx.get(table, &trip).and_then(|row| serde_json::from_str(row).ok()).unwrap_or_default();
            let kept = |new: Value, name: &str| if new.is_null() { before[name].clone() } else { new };
            let row = json!({
                "phase": change.phase,
                "taken_back": kept(json!(change.taken_back), "taken_back"),
                "refused_at": kept(json!(change.refused_at), "refused_at"),
                "began": kept(json!(change.began), "began"),
                "ended": kept(json!(change.ended), "ended"),
            });
            tx.put(table, &trip, row.to_string());
        }
    }
}
