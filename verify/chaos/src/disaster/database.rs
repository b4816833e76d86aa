//! PostgreSQL ends, in order and by SIGKILL, and comes back with its data.
//!
//! Breaks: every transaction that runs, of snapshots and of read models, and every connection. Must hold: commands go on or
//! wait; a transaction is done or not done; read models find their place again.

use async_trait::async_trait;
use rustix::process::Signal;

use super::{Disaster, Struck};
use crate::{scene::Scene, servers::Which};

pub(super) struct Database;

#[async_trait]
impl Disaster for Database {
    fn name(&self) -> &'static str {
        "database-restart"
    }

    fn what(&self) -> &'static str {
        "PostgreSQL is stopped, then killed, and comes back"
    }

    fn is_alone(&self) -> bool {
        true
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        for signal in [Signal::INT, Signal::KILL] {
            scene.servers.restart(Which::Postgres, signal).await?;
            scene.progress(50).await?;
        }
        Ok(Struck::with("PostgreSQL came back twice"))
    }
}
