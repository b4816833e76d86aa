//! A process that takes every shard, whatever the group says, beside those to whom the group gave them.
//!
//! Breaks: two owners on each shard, both sure of themselves, claiming from each other without end. Must hold: the log alone
//! decides who it is at any moment; work goes on between the claims; and afterwards each shard has one owner.

use async_trait::async_trait;

use super::{Disaster, Struck};
use crate::{process::Manner, scene::Scene};

pub(super) struct Usurped;

#[async_trait]
impl Disaster for Usurped {
    fn name(&self) -> &'static str {
        "two-owners"
    }

    fn what(&self) -> &'static str {
        "two owners forced onto every shard"
    }

    fn nodes(&self) -> u32 {
        2
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        let usurper = scene.start(&Manner { usurp: true, ..Manner::default() })?.name.clone();
        scene
            .until("the usurper serves", |scene| scene.node(&usurper).is_some_and(|node| node.is_owner()))
            .await?;
        scene.progress(150).await?;
        scene.take(&usurper)?.kill().await?;
        Ok(Struck::with(format!("{usurper} took every shard")))
    }
}
