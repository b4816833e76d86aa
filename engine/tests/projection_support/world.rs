//! A log in memory, tables in a database, and words to ask them with.

use std::{sync::Arc, time::Duration};

use crate::balances::{Balances, Table, tables};
use crate::db::{Database, Home, Tx, connect, open};
use crate::journal::Journal;
use palinode::{
    ManualClock, Record, Token,
    projection::{ReadModel, ShardStatus, State, Waited, start},
};

pub(crate) const LONG: Duration = Duration::from_secs(3_600);

pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) clock: ManualClock,
    pub(crate) journal: Journal,
    /// Where the database lives; dropped last.
    pub(crate) home: Home,
}

pub(crate) async fn world() -> World {
    let (home, db) = open().await;
    World { db, clock: ManualClock::default(), journal: Journal::new(), home }
}

impl World {
    pub(crate) async fn start(&self, projection: Arc<Balances>) -> ReadModel {
        self.start_on(&self.journal, projection).await
    }

    pub(crate) async fn start_on(&self, journal: &Journal, projection: Arc<Balances>) -> ReadModel {
        start(projection, journal.source(&self.clock), self.db.clone()).await.unwrap()
    }

    /// Appends a record of ours that cannot be read.
    pub(crate) fn damage(&self, shard: u32) {
        let last = usize::try_from(self.journal.end(shard)).unwrap() - 1;
        let record = self.journal.record(shard, last);
        self.journal.append_raw(shard, Record { value: vec![b'{'; 40].into(), ..record });
    }

    pub(crate) async fn table(&self) -> Table {
        tables(&self.db).await.0
    }
}

pub(crate) async fn reached(model: &ReadModel, token: &Token) {
    assert_eq!(model.wait_for(token, LONG).await, Waited::Reached);
}

/// Waits while time passes, so that every backoff ends whenever it began.
pub(crate) async fn reached_in_time(world: &World, model: &ReadModel, token: &Token) {
    let wait = model.wait_for(token, Duration::from_secs(u64::from(u32::MAX)));
    assert_eq!(in_time(world, wait).await, Waited::Reached);
}

/// The end of something that happens while time passes.
pub(crate) async fn in_time<T>(world: &World, future: impl Future<Output = T>) -> T {
    let time = async {
        loop {
            world.clock.advance(Duration::from_millis(10));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        end = future => end,
        () = time => unreachable!("time has no end"),
    }
}

pub(crate) fn stopped(status: &ShardStatus) -> bool {
    matches!(status.state, State::Stopped { .. })
}

pub(crate) fn retrying(status: &ShardStatus) -> bool {
    matches!(status.state, State::Retrying { .. })
}

/// Why shard 0 stopped, once it has.
pub(crate) async fn why_stopped(model: &ReadModel) -> String {
    match model.wait_until(0, stopped).await.unwrap().state {
        State::Stopped { why } => why.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The table as it must be after these deposits: (shard, pseq, idx, account, cents).
pub(crate) fn naive(deposits: &[(u32, u64, u32, String, i64)]) -> Table {
    let mut table = Table::new();
    for (shard, pseq, idx, account, cents) in deposits {
        let row = table.entry(account.clone()).or_default();
        row.0 += cents;
        let space = if row.1.is_empty() { "" } else { " " };
        row.1 += &format!("{space}bank/{shard}/{pseq}/{idx}={cents}");
    }
    table
}

/// Somebody else's connection.
pub(crate) async fn writer(world: &World) -> Tx {
    connect(&world.home).await
}

/// No key of the shard is parked any more.
pub(crate) async fn free(model: &ReadModel, shard: u32) {
    model.wait_until(shard, |status| status.parked == 0 && status.position.is_some()).await.unwrap();
}
