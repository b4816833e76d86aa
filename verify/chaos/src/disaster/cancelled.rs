//! A storm of cancellations: transactions dropped at begin and at commit, and commands whose callers go away.
//!
//! Breaks: sessions of a pool may be left inside a transaction; an answer may find nobody; a call may be in the log or not.
//! Must hold: no session stays in a transaction, no call is half done, and whoever asks again learns what became of it.

use async_trait::async_trait;

use super::{Disaster, Struck};
use crate::{process::Manner, scene::Scene};

pub(super) struct Cancelled;

#[async_trait]
impl Disaster for Cancelled {
    fn name(&self) -> &'static str {
        "cancel-storm"
    }

    fn what(&self) -> &'static str {
        "transactions and calls are dropped midway, many of them"
    }

    fn nodes(&self) -> u32 {
        2
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        scene.load.storm(true);
        let name = scene.start(&Manner { storm: true, ..Manner::default() })?.name.clone();
        let cancelled = |scene: &mut Scene<'_>| scene.node(&name).map_or(0, |node| node.said().cancelled);
        scene.until("the storm is over", |scene| cancelled(scene) >= crate::storm::ALL).await?;
        scene.load.storm(false);
        Ok(Struck::with(format!("dropped {} inside a process, and calls outside", cancelled(scene))))
    }
}
