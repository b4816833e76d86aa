//! Rooms taken, by room type and night.

use std::collections::BTreeMap;

use palinode::projection::{ApplyError, Of, Projection, Recorded, Tables};

use super::{Dialect, dialect::add};
use crate::domain::{
    Day, RoomType,
    room_type::{Nights, RoomEvent},
};

/// The table `room_night(room, night, taken)`.
pub struct RoomNights;

/// What makes the table, and what adds to it.
const SQLITE: (&str, &str) = (
    "create table if not exists {room_night} (room text not null, night text not null, taken integer not null, primary key (room, night)) strict, without rowid",
    "insert into {room_night} select value ->> 0, value ->> 1, value ->> 2 from json_each($1) where true \
     on conflict do update set taken = taken + excluded.taken",
);
const POSTGRES: (&str, &str) = (
    "create table if not exists {room_night} (room text collate \"C\" not null, night text collate \"C\" not null, taken bigint not null, \
     primary key (room, night)) with (fillfactor = 70)",
    "insert into {room_night} as old select value ->> 0, value ->> 1, (value ->> 2)::bigint from jsonb_array_elements($1::jsonb) \
     on conflict (room, night) do update set taken = old.taken + excluded.taken",
);

impl<D: Dialect> Projection<D> for RoomNights {
    const NAME: &'static str = "room-nights";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["room_night"];
    type Event = Of<RoomType>;
    type Batch = BTreeMap<(String, Day), i64>;

    async fn prepare(&self, tx: &mut D::Tx, tables: &Tables) -> Result<(), ApplyError> {
        D::run(tx, tables.sql(D::own(SQLITE.0, POSTGRES.0))).await
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

    async fn write(&self, tx: &mut D::Tx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let rows: Vec<_> = batch.iter().map(|((room, night), more)| (room, night, more)).collect();
        add::<D>(tx, tables.sql(D::own(SQLITE.1, POSTGRES.1)), &rows).await
    }
}
