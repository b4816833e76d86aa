//! Read models of a running node: which shards of a service they follow here.

use std::sync::Arc;

use super::{Node, patience::patiently};
use crate::{
    checkpoint::{ApplyError, ReadDb},
    projection::{self, Projection, ReadModel, Source},
    tail::Tail,
};

impl Node {
    /// Follows a service's log with a read model that lives in this database. It stops with the node.
    ///
    /// Where several processes share a service, each of them says this, and each writes the rows of the shards that it
    /// owns; how far the others are it reads from the checkpoints. Of a peer all shards are followed here.
    ///
    /// # Errors
    /// When this node neither runs the service nor names it as a peer, follows it with this projection already, or the read
    /// model's tables cannot be made; a database that is away is waited for, half a minute.
    pub async fn project_into<D: ReadDb, P: Projection<D>>(
        &self,
        service: &str,
        projection: P,
        db: D,
    ) -> Result<ReadModel, ApplyError> {
        let source = self.source(service)?;
        self.follow(source, projection, db).await
    }

    /// The same, of all shards, whoever owns them: one process writes all rows. When a second one says so, it takes
    /// over, and the first one stops.
    ///
    /// # Errors
    /// As [`Node::project_into`].
    pub async fn project_all_into<D: ReadDb, P: Projection<D>>(
        &self,
        service: &str,
        projection: P,
        db: D,
    ) -> Result<ReadModel, ApplyError> {
        let mut source = self.source(service)?;
        source.tail = source.tail.of_all();
        self.follow(source, projection, db).await
    }

    /// What is to be read of a service, its own or a peer's.
    fn source(&self, service: &str) -> Result<Source, ApplyError> {
        let none = || ApplyError::broken(format!("this node runs no service {service:?}, and it is no peer"));
        let (log_id, partitions) = self.directory.get(service).ok_or_else(none)?;
        Ok(Source {
            service: service.into(),
            log_id,
            partitions,
            log: Arc::clone(&self.log),
            tail: self.service(service).map_or_else(|| Tail::new(partitions), |place| place.tail.clone()),
            clock: Arc::clone(&self.clock),
            reader: Arc::clone(&self.name),
            telemetry: self.telemetry.clone(),
        })
    }

    async fn follow<D: ReadDb, P: Projection<D>>(
        &self,
        source: Source,
        projection: P,
        db: D,
    ) -> Result<ReadModel, ApplyError> {
        let follows = (Arc::clone(&source.service), P::NAME, P::VERSION);
        if self.board.read_models().get(&follows).is_some_and(|running| !running.has_ended()) {
            let what = format!("{:?} version {} follows {:?} already", P::NAME, P::VERSION, source.service);
            return Err(ApplyError::broken(what));
        }
        let projection = Arc::new(projection);
        let start = || projection::start(Arc::clone(&projection), source.clone(), db.clone());
        let read_model = patiently(&*self.clock, P::NAME, start).await?;
        self.board.read_models().insert(follows, read_model.clone());
        Ok(read_model)
    }
}
