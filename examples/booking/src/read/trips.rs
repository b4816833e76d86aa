//! How every trip stands: under way, waiting for its guest, or ended and how.

use std::{collections::BTreeMap, sync::Arc};

use palinode::{
    commit::EventRecord,
    projection::{ApplyError, EventSet, Projection, Recorded, Tables},
};
use palinode_sagas::event::{Event, Why};

use super::{Dialect, dialect::add};

/// The table `trip`, and the view `trip_outcome` that says it in the words of the summary; see `sql/`.
pub struct Trips;

/// The entries of a journal that change how a trip stands.
pub struct Turn(Event);

impl EventSet for Turn {
    fn wants(name: &str) -> bool {
        matches!(
            name,
            "saga.started"
                | "saga.wait_began"
                | "saga.wait_done"
                | "saga.undo_began"
                | "saga.stuck"
                | "saga.completed"
                | "saga.compensated"
                | "saga.killed"
                | "saga.parked"
        )
    }

    fn decode(event: &EventRecord) -> Result<Self, String> {
        Event::read(event).map(Self)
    }
}

/// What a batch says of one trip; what it leaves out stays as it is.
#[derive(Debug, Default)]
pub struct Change {
    /// How it stands.
    pub phase: &'static str,
    /// Why it is taken back: `refused`, `cancelled`, `expired`.
    pub taken_back: Option<&'static str>,
    /// The step that was refused.
    pub refused_at: Option<Arc<str>>,
    /// When it began, in microseconds since 1970.
    pub began: Option<i64>,
    /// When it came to its end.
    pub ended: Option<i64>,
}

impl<D: Dialect> Projection<D> for Trips {
    const NAME: &'static str = "trips";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["trip", "trip_outcome"];
    type Event = Turn;
    type Batch = BTreeMap<Arc<str>, Change>;

    async fn prepare(&self, tx: &mut D::Tx, tables: &Tables) -> Result<(), ApplyError> {
        let made = D::own(include_str!("sql/trips.sqlite.sql"), include_str!("sql/trips.postgres.sql"));
        D::run(tx, tables.sql(made)).await
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Turn>) -> Result<(), ApplyError> {
        let trip = batch.entry(Arc::clone(&e.entity.id)).or_default();
        let now = e.time.0;
        match &e.event.0 {
            Event::Started { .. } => (trip.phase, trip.began) = ("running", Some(now)),
            Event::WaitBegan { .. } => trip.phase = "waiting",
            Event::WaitDone { .. } => trip.phase = "running",
            Event::UndoBegan { why } => {
                trip.phase = "undoing";
                (trip.taken_back, trip.refused_at) = reason(why);
            }
            Event::Stuck { .. } => trip.phase = "stuck",
            Event::Parked { .. } => trip.phase = "parked",
            Event::Completed {} => (trip.phase, trip.ended) = ("completed", Some(now)),
            Event::Compensated { .. } => (trip.phase, trip.ended) = ("compensated", Some(now)),
            Event::Killed { .. } => (trip.phase, trip.ended) = ("killed", Some(now)),
            other => return Err(ApplyError::broken(format!("{other:?} is not wanted here"))),
        }
        Ok(())
    }

    async fn write(&self, tx: &mut D::Tx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let row = |(id, c): (&Arc<str>, &Change)| {
            (
                id.to_string(),
                c.phase,
                c.taken_back,
                c.refused_at.as_deref().map(str::to_owned),
                c.began,
                c.ended,
            )
        };
        let rows: Vec<_> = batch.iter().map(row).collect();
        let added =
            D::own(include_str!("sql/trips_write.sqlite.sql"), include_str!("sql/trips_write.postgres.sql"));
        add::<D>(tx, tables.sql(added), &rows).await
    }
}

/// Why a trip is taken back, and the step that was refused.
fn reason(why: &Why) -> (Option<&'static str>, Option<Arc<str>>) {
    match why {
        Why::Cancelled { .. } => (Some("cancelled"), None),
        Why::TimedOut { .. } => (Some("expired"), None),
        Why::Refused { node, .. } | Why::Unknown { node, .. } => (Some("refused"), Some(Arc::clone(node))),
        _ => (Some("refused"), Some("deadline".into())),
    }
}
