//! `kill -9` of an owner under load, again and again, and a new process for each.
//!
//! Breaks: everything the process had in memory: commits in flight, answers not yet sent, batches of read models half
//! written, its session in the group. Must hold: what was acknowledged is there, what was not is decided once, and the
//! others serve its shards.

use async_trait::async_trait;

use super::{Disaster, Struck};
use crate::{process::Manner, scene::Scene};

/// How often.
const TIMES: u64 = 2;

pub(super) struct Killed;

#[async_trait]
impl Disaster for Killed {
    fn name(&self) -> &'static str {
        "killed-owner"
    }

    fn what(&self) -> &'static str {
        "kill -9 of an owner under load"
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        let mut killed = Vec::new();
        for _ in 0..TIMES {
            let pause = scene.chance.below(60);
            scene.progress(pause).await?;
            let owner = scene.take_owner()?;
            killed.push(owner.name.clone());
            owner.kill().await?;
            scene.whole("after a kill").await?;
            scene.start(&Manner::default())?;
        }
        Ok(Struck::with(format!("killed {}", killed.join(", "))))
    }
}
