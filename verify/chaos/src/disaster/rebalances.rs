//! A storm of rebalances: processes come, and others go, in order or killed, before the group has settled.
//!
//! Breaks: shards move all the time, and move on before their new owner has begun. Must hold: work goes on, no shard is left
//! without an owner, and nothing of it shows in the answers.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use tokio::time::sleep;

use super::{Disaster, Struck};
use crate::{
    process::{Manner, Process},
    scene::Scene,
};

/// How many come.
const COME: usize = 6;
/// How long nothing happens at most.
const QUIET: Duration = Duration::from_millis(900);

pub(super) struct Rebalances;

#[async_trait]
impl Disaster for Rebalances {
    fn name(&self) -> &'static str {
        "rebalance-storm"
    }

    fn what(&self) -> &'static str {
        "processes come and go quickly"
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        let (mut killed, mut leaving) = (0, Vec::new());
        for _ in 0..COME {
            scene.start(&Manner::default())?;
            sleep(scene.chance.within(QUIET)).await;
            // Those that came may have nothing yet.
            scene.until("somebody owns a shard", |scene| scene.nodes.iter().any(Process::is_owner)).await?;
            let owner = scene.take_owner()?;
            if scene.chance.hits(500) {
                owner.kill().await?;
                killed += 1;
            } else {
                leaving.push(tokio::spawn(Process::stop(owner)));
            }
        }
        let left = leaving.len();
        scene.whole("after the storm").await?;
        try_join_all(leaving).await?.into_iter().collect::<anyhow::Result<()>>()?;
        Ok(Struck::with(format!("{COME} came, {left} left, {killed} were killed")))
    }
}
