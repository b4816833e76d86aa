//! Cars taken, by station and day.

use std::collections::BTreeMap;

use palinode::projection::{ApplyError, Of, Projection, Recorded, Tables};

use super::{Dialect, dialect::add};
use crate::domain::{Car, car::CarEvent};

/// The table `rental(station, taken)`.
pub struct Cars;

/// What makes the table, and what adds to it.
const SQLITE: (&str, &str) = (
    "create table if not exists {rental} (station text primary key not null, taken integer not null) strict, without rowid",
    "insert into {rental} select value ->> 0, value ->> 1 from json_each($1) where true \
     on conflict do update set taken = taken + excluded.taken",
);
const POSTGRES: (&str, &str) = (
    "create table if not exists {rental} (station text collate \"C\" primary key, taken bigint not null) with (fillfactor = 70)",
    "insert into {rental} as old select value ->> 0, (value ->> 1)::bigint from jsonb_array_elements($1::jsonb) \
     on conflict (station) do update set taken = old.taken + excluded.taken",
);

impl<D: Dialect> Projection<D> for Cars {
    const NAME: &'static str = "cars";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["rental"];
    type Event = Of<Car>;
    type Batch = BTreeMap<String, i64>;

    async fn prepare(&self, tx: &mut D::Tx, tables: &Tables) -> Result<(), ApplyError> {
        D::run(tx, tables.sql(D::own(SQLITE.0, POSTGRES.0))).await
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Car>>) -> Result<(), ApplyError> {
        let more = match *e.event {
            CarEvent::Held { .. } => 1,
            CarEvent::Released { freed: true, .. } => -1,
            CarEvent::Released { freed: false, .. } | CarEvent::Confirmed { .. } => return Ok(()),
        };
        *batch.entry(e.entity.id.to_string()).or_default() += more;
        Ok(())
    }

    async fn write(&self, tx: &mut D::Tx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let rows: Vec<_> = batch.iter().collect();
        add::<D>(tx, tables.sql(D::own(SQLITE.1, POSTGRES.1)), &rows).await
    }
}
