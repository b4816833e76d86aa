//! The database is set back to an older copy under running owners (CX21).
//!
//! Breaks: snapshots and rows are those of an earlier moment, while owners hold the later one in memory and load from what is
//! there. Must hold: nobody decides on an older state; owners notice and recover; read models go on from where the copy
//! stands.

use async_trait::async_trait;

use super::{Disaster, Struck};
use crate::scene::Scene;

pub(super) struct SetBack;

#[async_trait]
impl Disaster for SetBack {
    fn name(&self) -> &'static str {
        "database-set-back"
    }

    fn what(&self) -> &'static str {
        "the database goes back to an older copy under running owners"
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        scene.place.copy().await?;
        let before = scene.place.snapshots().await?;
        let mut now = before;
        while now < before + 200 {
            scene.progress(20).await?;
            now = scene.place.snapshots().await?;
        }
        scene.place.set_back().await?;
        Ok(Struck::with(format!("snapshots went back by {} commits", now - before)))
    }
}
