//! A read model as whoever asks for its rows sees it: it runs in this process, or in others. Knows no tables.

use std::{sync::Arc, time::Duration};

use palinode::{
    Clock, SystemClock, Token,
    projection::{ApplyError, Projection, ReadModel, ShardStatus, State, Waited, Watch},
    store::{postgres::PgDb, sqlite::SqliteDb},
};

use super::versions::Followed;

/// How often it is looked for what runs elsewhere.
const LOOK: Duration = Duration::from_millis(100);

/// A read model.
pub(crate) enum Model {
    /// It runs here, or some shards of it do.
    Here(ReadModel),
    /// It runs in other processes.
    There { name: &'static str, service: &'static str, rows: Watch<PgDb> },
}

impl Model {
    /// One that other processes run.
    pub(crate) fn elsewhere<P: Projection<SqliteDb> + Projection<PgDb>>(of: &Followed<P>, db: PgDb) -> Self {
        let name = <P as Projection<PgDb>>::NAME;
        let rows = Watch::new(db, name, of.service, Arc::new(SystemClock));
        Self::There { name, service: of.service, rows }
    }

    /// The one that runs in this process.
    pub(crate) fn here(&self) -> Option<&ReadModel> {
        match self {
            Self::Here(model) => Some(model),
            Self::There { .. } => None,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Here(model) => model.name(),
            Self::There { name, .. } => name,
        }
    }

    /// Waits until it shows what the token is of.
    pub(crate) async fn wait_for(&self, token: &Token, within: Duration) -> Waited {
        match self {
            Self::Here(model) => model.wait_for(token, within).await,
            Self::There { rows, .. } => rows.wait_for(token, within).await,
        }
    }

    /// Waits until every shard has met the end of the log, or stands still. Of one that runs elsewhere: until its tables
    /// are there.
    pub(crate) async fn caught_up(&self) {
        match self {
            Self::Here(model) => caught_up(model).await,
            Self::There { .. } => {
                while self.trouble().await.is_some() {
                    SystemClock.wait_until(SystemClock.now().plus(LOOK)).await;
                }
            }
        }
    }

    /// Why its rows are not there, or do not follow.
    pub(crate) async fn trouble(&self) -> Option<String> {
        let (name, service, rows) = match self {
            Self::Here(model) => return standing(model),
            Self::There { name, service, rows } => (name, service, rows),
        };
        let versions = match rows.versions().await {
            Ok(versions) => versions,
            Err(ApplyError { what, .. }) => return Some(format!("{name}: {what}")),
        };
        let Some(active) = versions.into_iter().find(|version| version.active) else {
            return Some(format!(
                "{name} is not there yet: it comes with `booking run --services {service}`"
            ));
        };
        active.still.first().map(|(key, why)| format!("{name}, shard {}: {why}", key.shard))
    }
}

/// Waits until every shard of a read model that runs here has met the end of the log, or stands still.
pub(crate) async fn caught_up(model: &ReadModel) {
    let behind = |status: &ShardStatus| matches!(status.state, State::Starting | State::CatchingUp);
    for shard in model.status() {
        model.wait_until(shard.shard, |status| !behind(status)).await;
    }
}

fn standing(model: &ReadModel) -> Option<String> {
    model.status().into_iter().find_map(|shard| match shard.state {
        State::Stopped { why } | State::Retrying { why } => {
            Some(format!("{}, shard {}: {why}", model.name(), shard.shard))
        }
        _ => None,
    })
}
