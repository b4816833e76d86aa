//! Seats taken, by flight.

use std::collections::BTreeMap;

use palinode::{
    projection::{ApplyError, Of, Projection, Recorded, Tables},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;

use crate::domain::{Flight, flight::FlightEvent};

/// The table `seat(flight, taken)`.
pub struct Seats;

impl Projection<SqliteDb> for Seats {
    const NAME: &'static str = "seats";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["seat"];
    type Event = Of<Flight>;
    type Batch = BTreeMap<String, i64>;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let table = "create table if not exists {seat} \
            (flight text primary key not null, taken integer not null) strict, without rowid";
        sqlx::raw_sql(tables.sql(table)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Flight>>) -> Result<(), ApplyError> {
        let more = match *e.event {
            FlightEvent::Held { seats, .. } => i64::from(seats),
            FlightEvent::Released { freed, .. } => -i64::from(freed),
            FlightEvent::Confirmed { .. } => return Ok(()),
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
                "insert into {seat} select value ->> 0, value ->> 1 from json_each(?1) where true \
             on conflict do update set taken = taken + excluded.taken",
            ),
            &rows,
        )
        .await
    }
}
