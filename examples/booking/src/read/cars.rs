//! Cars taken, by station and day.

use std::collections::BTreeMap;

use palinode::{
    projection::{ApplyError, Of, Projection, Recorded, Tables},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;

use crate::domain::{Car, car::CarEvent};

/// The table `rental(station, taken)`.
pub struct Cars;

impl Projection<SqliteDb> for Cars {
    const NAME: &'static str = "cars";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["rental"];
    type Event = Of<Car>;
    type Batch = BTreeMap<String, i64>;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let table = "create table if not exists {rental} \
            (station text primary key not null, taken integer not null) strict, without rowid";
        sqlx::raw_sql(tables.sql(table)).execute(tx).await?;
        Ok(())
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

    async fn write(
        &self,
        tx: &mut SqliteConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        let rows: Vec<_> = batch.iter().collect();
        super::add(
            tx,
            tables.sql(
                "insert into {rental} select value ->> 0, value ->> 1 from json_each(?1) where true \
             on conflict do update set taken = taken + excluded.taken",
            ),
            &rows,
        )
        .await
    }
}
