//! Read models in more than one version. Built again from the log they are the same code under another number, beside
//! the one that readers see; then readers are moved, and the old one is taken away. Knows no command line.

use palinode::{
    Node,
    checkpoint::{Db, Transacted, Version, Versions},
    projection::{ApplyError, Projection, ReadModel, Recorded, Tables},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;

/// What is added to the number of a version that is built again; taken away when it is built once more.
const AGAIN: u32 = 1_000;

/// The same read model under the other number.
struct Again<P>(P);

impl<P: Projection<SqliteDb>> Projection<SqliteDb> for Again<P> {
    const NAME: &'static str = P::NAME;
    const VERSION: u32 = P::VERSION + AGAIN;
    const TABLES: &'static [&'static str] = P::TABLES;
    type Event = P::Event;
    type Batch = P::Batch;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        self.0.prepare(tx, tables).await
    }

    fn key(&self, event: &Recorded<()>) -> String {
        self.0.key(event)
    }

    fn fold(&self, batch: &mut Self::Batch, event: &Recorded<Self::Event>) -> Result<(), ApplyError> {
        self.0.fold(batch, event)
    }

    async fn write(
        &self,
        tx: &mut SqliteConnection,
        tables: &Tables,
        batch: Self::Batch,
    ) -> Result<(), ApplyError> {
        self.0.write(tx, tables, batch).await
    }
}

/// A read model and whom it follows.
pub(crate) struct Followed<P> {
    /// The service.
    pub(crate) service: &'static str,
    /// Makes it.
    pub(crate) new: fn() -> P,
}

impl<P: Projection<SqliteDb>> Followed<P> {
    /// Follows with every version that there is; with the code's own when there is none. The one that readers see is the
    /// first.
    ///
    /// # Errors
    /// When the versions cannot be read, or one cannot be followed.
    pub(crate) async fn start(&self, node: &Node) -> Result<Vec<ReadModel>, ApplyError> {
        let known = known(node.read_db()?, P::NAME).await?;
        let has = |version| known.iter().any(|known| known.version == version);
        let (own, again) = (P::VERSION, P::VERSION + AGAIN);
        let wanted = [(own, has(own) || !has(again)), (again, has(again))];
        let mut models = Vec::new();
        for (version, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            models.push(self.start_version(node, version).await?);
        }
        let active = known.iter().find(|known| known.active).map(|known| known.version);
        models.sort_by_key(|model| active.is_some_and(|active| active != model.version()));
        Ok(models)
    }

    /// Follows with the other version than this one.
    ///
    /// # Errors
    /// When it is followed already, or its tables cannot be made.
    pub(crate) async fn start_other(&self, node: &Node, than: u32) -> Result<ReadModel, ApplyError> {
        self.start_version(node, Self::other(than)).await
    }

    /// The number under which a version is built again.
    pub(crate) fn other(than: u32) -> u32 {
        if than == P::VERSION { P::VERSION + AGAIN } else { P::VERSION }
    }

    async fn start_version(&self, node: &Node, version: u32) -> Result<ReadModel, ApplyError> {
        let new = (self.new)();
        if version == P::VERSION {
            node.project(self.service, new).await
        } else {
            node.project(self.service, Again(new)).await
        }
    }
}

/// The versions of a projection that the database has.
async fn known(db: &SqliteDb, name: &'static str) -> Result<Vec<Version>, ApplyError> {
    let read = db.transact(Box::new(move |tx| Box::pin(SqliteDb::versions(tx, name))));
    match read.await {
        Transacted::Committed(versions) => Ok(versions),
        Transacted::RolledBack(e) | Transacted::Unknown(e) => Err(e),
    }
}
