//! All sessions of the database are terminated, again and again.
//!
//! Breaks: transactions at any of their statements, the commit among them, whose outcome nobody then knows. Must hold: rows
//! and checkpoint are of one moment, whatever became of a transaction.

use async_trait::async_trait;

use super::{Disaster, Struck};
use crate::scene::Scene;

/// How often.
const TIMES: u32 = 12;

pub(super) struct Backends;

#[async_trait]
impl Disaster for Backends {
    fn name(&self) -> &'static str {
        "terminated-backends"
    }

    fn what(&self) -> &'static str {
        "all sessions of the database are terminated, again and again"
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        let mut sessions = 0;
        for _ in 0..TIMES {
            sessions += scene.place.terminate().await?;
            let pause = scene.chance.below(12);
            scene.progress(pause).await?;
        }
        anyhow::ensure!(sessions > 0, "there was no session to terminate");
        Ok(Struck::with(format!("terminated {sessions} sessions")))
    }
}
