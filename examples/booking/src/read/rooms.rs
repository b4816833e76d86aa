//! Rooms taken, by room type and night.

use std::collections::BTreeMap;

use palinode::{
    projection::{ApplyError, Of, Projection, Recorded, Tables},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;

use crate::domain::{
    Day, RoomType,
    room_type::{Nights, RoomEvent},
};

/// The table `room_night(room, night, taken)`.
pub struct RoomNights;

impl Projection<SqliteDb> for RoomNights {
    const NAME: &'static str = "room-nights";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["room_night"];
    type Event = Of<RoomType>;
    type Batch = BTreeMap<(String, Day), i64>;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        let table = "create table if not exists {room_night} \
            (room text not null, night text not null, taken integer not null, primary key (room, night)) \
            strict, without rowid";
        sqlx::raw_sql(tables.sql(table)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<RoomType>>) -> Result<(), ApplyError> {
        let (nights, more) = match *e.event {
            RoomEvent::Held { first, nights, .. } => (Nights { first, nights }, 1),
            RoomEvent::Released { freed: Some(nights), .. } => (nights, -1),
            RoomEvent::Released { freed: None, .. } | RoomEvent::Confirmed { .. } => return Ok(()),
        };
        for night in nights.first.run(nights.nights) {
            *batch.entry((e.entity.id.to_string(), night)).or_default() += more;
        }
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut SqliteConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        let rows: Vec<_> = batch.iter().map(|((room, night), more)| (room, night, more)).collect();
        super::add(
            tx,
            tables.sql("insert into {room_night} select value ->> 0, value ->> 1, value ->> 2 from json_each(?1) where true \
             on conflict do update set taken = taken + excluded.taken"),
            &rows,
        )
        .await
    }
}
