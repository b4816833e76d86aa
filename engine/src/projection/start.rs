//! Starts a projection: its tables, then one runner a shard.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    Projection, ReadModel,
    desk::{Desk, Files},
    meter::{Meter, Recent},
    parking::asks,
    read_model::Shard,
    runner::Runner,
};
use crate::{
    address::check_name,
    checkpoint::{ApplyError, Key, ReadDb, Running, ShardStatus, Tables, Transacted},
    clock::Clock,
    log::Log,
    news::Teller,
    tail::Tail,
    telemetry::Telemetry,
};

/// What is read: the log of one service.
#[derive(Clone)]
pub struct Source {
    /// The service.
    pub service: Arc<str>,
    /// Identity of its log, from genesis.
    pub log_id: Uuid,
    /// Number of its shards, from genesis.
    pub partitions: u32,
    /// Where it is read.
    pub log: Arc<dyn Log>,
    /// Told by the owners in this process; a fresh one when there are none: then the log is looked at twice a second.
    pub tail: Tail,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who reads, for people: the node's name.
    pub reader: Arc<str>,
    /// Who is told of batches; nobody, by default.
    pub telemetry: Telemetry,
}

/// Creates the projection's tables and starts its runners, one a shard, as tasks of the running tokio runtime.
///
/// # Errors
/// When the name is none or the tables cannot be created. What goes wrong later is in [`ReadModel::status`].
pub async fn start<D: ReadDb, P: Projection<D>>(
    projection: Arc<P>,
    source: Source,
    db: D,
) -> Result<ReadModel, ApplyError> {
    check_name("projection", P::NAME).map_err(|e| ApplyError::broken(e.to_string()))?;
    let tables = Tables::new(P::TABLES, P::VERSION)?;
    prepare(&projection, tables, &db).await?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (mut shards, recent) = (Vec::new(), Recent::default());
    for shard in 0..source.partitions {
        let status = Teller::new(ShardStatus::starting(shard));
        let (door, asks) = asks();
        shards.push(Shard { status: status.hearer(), door });
        let (meter, go) = (Meter::new(recent.clone()), db.board().go(P::NAME, P::VERSION));
        let key = Key {
            projection: P::NAME.into(),
            version: P::VERSION,
            service: Arc::clone(&source.service),
            shard,
        };
        let (projection, source, db) = (Arc::clone(&projection), source.clone(), db.clone());
        tasks.spawn(
            Runner::new(key, (projection, tables), source, db, status, stop.clone(), (meter, asks, go)).run(),
        );
    }
    tasks.close();
    let running = Running {
        shards: shards.iter().map(|shard| shard.status.clone()).collect(),
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    db.board().post(P::NAME, P::VERSION, &source.service, running);
    let desk: Arc<dyn Desk> = Arc::new(Files::new(db, P::NAME, P::VERSION, &source));
    Ok(ReadModel::new((P::NAME, P::VERSION), source, shards, desk, stop, tasks))
}

async fn prepare<D: ReadDb, P: Projection<D>>(
    projection: &Arc<P>,
    tables: Tables,
    db: &D,
) -> Result<(), ApplyError> {
    let (projection, board) = (Arc::clone(projection), db.board().clone());
    let prepared = db.transact(Box::new(move |tx| {
        async move {
            D::lock(tx, P::NAME).await?;
            projection.prepare(tx, &tables).await?;
            let active = D::register(tx, P::NAME, &tables).await?;
            // Inside, so that a swap comes before it as a whole, or after.
            board.show(P::NAME, active);
            Ok(())
        }
        .boxed()
    }));
    match prepared.await {
        Transacted::Committed(()) => Ok(()),
        Transacted::RolledBack(e) | Transacted::Unknown(e) => {
            Err(ApplyError::new(e.class, format!("creating the tables of projection {}: {e}", P::NAME)))
        }
    }
}
