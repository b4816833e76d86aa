//! The broker ends, by SIGKILL or in order, and comes back with its data.
//!
//! Breaks: every append in flight is unknown, no claim and no heartbeat gets through, every reader loses its place. Must
//! hold: what is unknown is found out and not repeated, and everything goes on by itself. (A broker that is killed keeps
//! what the system has of its files; loss of power is not what this shows.)

use async_trait::async_trait;
use rustix::process::Signal;

use super::{Disaster, Struck};
use crate::{scene::Scene, servers::Which};

pub(super) struct Broker {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) signal: Signal,
}

#[async_trait]
impl Disaster for Broker {
    fn name(&self) -> &'static str {
        self.name
    }

    fn what(&self) -> &'static str {
        self.what
    }

    fn is_alone(&self) -> bool {
        true
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        scene.servers.restart(Which::Kafka, self.signal).await?;
        Ok(Struck::with("the broker came back"))
    }
}
