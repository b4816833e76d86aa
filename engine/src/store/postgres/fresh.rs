//! A database of its own for every test, on the server that `PALINODE_POSTGRES` names.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::{PgDb, PgSettings};
use crate::checkpoint::ApplyError;

/// Which server the tests use: the URL of a database of a superuser.
pub const SERVER: &str = "PALINODE_POSTGRES";

/// A new, empty database. It is dropped, with everything that is connected to it, when this is.
pub struct FreshDatabase {
    server: PgConnectOptions,
    name: String,
}

impl FreshDatabase {
    /// Makes one.
    ///
    /// # Errors
    /// When no server is named, or it cannot be reached.
    pub async fn new() -> Result<Self, ApplyError> {
        let missing = |_| {
            ApplyError::broken(format!(
                "{SERVER} is not set: run `cargo xtask test`, which starts PostgreSQL, or set it to the URL of a \
                 superuser's database"
            ))
        };
        let server: PgConnectOptions = std::env::var(SERVER)
            .map_err(missing)?
            .parse()
            .map_err(|e| ApplyError::broken(format!("{SERVER}: {e}")))?;
        let server = server.disable_statement_logging();
        let name = format!("palinode_{}", Uuid::from_bytes(random()).simple());
        let mut conn = server.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut conn).await?;
        conn.close().await?;
        Ok(Self { server, name })
    }

    /// How it is reached.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// The same for a node.
    pub fn settings(&self) -> PgSettings {
        PgSettings::of_options(self.options())
    }

    /// Its tables are made.
    ///
    /// # Errors
    /// As [`PgDb::connect`].
    pub async fn open(&self) -> Result<PgDb, ApplyError> {
        PgDb::connect(self.settings()).await
    }

    /// Somebody else's connection.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(&self) -> Result<PgConnection, ApplyError> {
        Ok(self.options().connect().await?)
    }
}

impl Drop for FreshDatabase {
    /// On a thread and a runtime of its own, because dropping cannot wait.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), std::mem::take(&mut self.name));
        let gone = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(sqlx::Error::Io)?.block_on(async move {
                let mut conn = server.connect().await?;
                let sql = format!("drop database if exists {name} with (force)");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
                conn.close().await
            })
        });
        if let Ok(Err(e)) = gone.join() {
            tracing::warn!(error = %e, "a test's database is left behind");
        }
    }
}

/// Random enough for a name: std seeds its hashers from the system.
fn random() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(std::process::id()).to_be_bytes();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(half().into_iter().chain(half())).for_each(|(to, from)| *to = from);
    bytes
}
