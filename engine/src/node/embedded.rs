//! A node with no server at all: the log in `log.db`, everything derived from it in `read.db`, both in one folder.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use super::{Node, NodeBuilder, Parts, StartError, definitions};
use crate::{
    checkpoint::ApplyError,
    clock::{Clock, SystemClock, SystemIds},
    log::sqlite::SqliteLog,
    owner::Limits,
    projection::{Projection, ReadModel},
    service::Service,
    store::{
        observed,
        sqlite::{SqliteDb, SqliteStore},
    },
    telemetry::Observe,
    trace::names::value,
};

/// An embedded node to be.
#[must_use = "a node does nothing until it is started"]
pub struct EmbeddedBuilder {
    dir: PathBuf,
    node: NodeBuilder,
    clock: Arc<dyn Clock>,
}

impl Node {
    /// A node on the embedded log of this folder, which is made when it does not exist. One process at a time.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// # let folder = tempfile::tempdir()?;
    /// use palinode::{Node, Service};
    /// let node = Node::embedded(folder.path()).service(Service::new("bank")).start().await?;
    /// node.stop(std::time::Duration::from_secs(5)).await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn embedded(dir: impl AsRef<Path>) -> EmbeddedBuilder {
        let name = format!("embedded, pid {}", std::process::id());
        EmbeddedBuilder {
            dir: dir.as_ref().to_owned(),
            node: NodeBuilder::new(name),
            clock: Arc::new(SystemClock),
        }
    }
}

impl EmbeddedBuilder {
    /// Adds a service.
    pub fn service(mut self, service: Service) -> Self {
        self.node = self.node.service(service);
        self
    }

    /// Works within these limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.node = self.node.limits(limits);
        self
    }

    /// How many shards a new service gets (4 when not said).
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.node = self.node.partitions(partitions);
        self
    }

    /// Tells this observer what happens: spans that have ended, and what metrics are counted from.
    pub fn observe(mut self, observer: Arc<dyn Observe>) -> Self {
        self.node = self.node.observe(observer);
        self
    }

    /// Opens the folder and starts the node.
    ///
    /// # Errors
    /// Everything wrong with the definitions; a folder that is locked (by whom), read-only, full, of a newer format or
    /// damaged, each with what to do.
    pub async fn start(self) -> Result<Node, StartError> {
        let Self { dir, node, clock } = self;
        let problems = definitions::problems(&node.services, None);
        if !problems.is_empty() {
            return Err(StartError::Definitions(problems));
        }
        let folder = |e: &dyn std::fmt::Display| StartError::Folder(e.to_string());
        let opened = {
            let (dir, clock) = (dir.clone(), Arc::clone(&clock));
            tokio::task::spawn_blocking(move || SqliteLog::open(&dir, clock)).await
        };
        let log = Arc::new(opened.map_err(|e| folder(&e))?.map_err(|e| folder(&e))?);
        let db = SqliteDb::open(dir.join("read.db")).await.map_err(|e| folder(&e))?;
        let store = SqliteStore::new(db.clone());
        let parts = Parts {
            log: Arc::clone(&log) as _,
            store: observed(store, value::SQLITE, &clock, &node.telemetry),
            clock,
            ids: Arc::new(SystemIds),
        };
        let ours = node.create(&parts).await?.1;
        for (service, place) in &ours {
            let foreign = db.foreign(service, place.log_id).await.map_err(|e| folder(&e))?;
            if let Some(other) = foreign {
                return Err(StartError::Folder(another_log(&db, service, place.log_id, &other)));
            }
        }
        let mut node = node.start(parts).await?;
        node.embedded = Some(Files { log, db });
        Ok(node)
    }
}

fn another_log(db: &SqliteDb, service: &str, log_id: Uuid, other: &str) -> String {
    let file = db.path().display();
    format!(
        "{file} belongs to log {other} of service {service:?}, and the log beside it is {log_id}: bring back the log it \
         was built from, or move {file} away with its -wal and -shm files; everything in it is built again from the log"
    )
}

/// The two files an embedded node stands on.
pub(super) struct Files {
    log: Arc<SqliteLog>,
    db: SqliteDb,
}

impl Files {
    pub(super) async fn close(&self) {
        self.db.close().await;
        if let Err(e) = self.log.close().await {
            tracing::warn!("closing the log: {e}");
        }
    }

    pub(super) async fn abandon(&self) {
        let log = Arc::clone(&self.log);
        if tokio::task::spawn_blocking(move || log.abandon()).await.is_err() {
            tracing::warn!("the log was not let go of in order");
        }
    }
}

impl Node {
    /// Follows a service's log with a read model in the node's own `read.db`.
    ///
    /// # Errors
    /// As [`Node::project_into`]; and on a node that is not embedded.
    pub async fn project<P: Projection<SqliteDb>>(
        &self,
        service: &str,
        projection: P,
    ) -> Result<ReadModel, ApplyError> {
        self.project_into(service, projection, self.read_db()?.clone()).await
    }

    /// The node's own `read.db`, for queries.
    ///
    /// # Errors
    /// On a node that is not embedded.
    pub fn read_db(&self) -> Result<&SqliteDb, ApplyError> {
        let none = || ApplyError::broken("this node has no read.db of its own: use project_into");
        self.embedded.as_ref().map(|files| &files.db).ok_or_else(none)
    }
}
