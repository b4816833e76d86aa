//! One disaster from its beginning to its verdict: a fresh place, processes and load; the harm; rest; the judge.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    disaster::Disaster,
    evidence,
    judge::{Judged, judge},
    person,
    scene::Scene,
    servers::Servers,
};

/// How many answers must come after the disaster.
const AFTER: u64 = 150;
/// How long everything may take to come to rest.
const REST: Duration = Duration::from_secs(90);

/// What came of one disaster.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// Which.
    pub disaster: &'static str,
    /// The seed it was drawn from.
    pub seed: u64,
    /// What was done.
    pub did: String,
    /// Commands that were answered, and sagas whose start was.
    pub acknowledged: usize,
    /// Sagas that ended completed.
    pub completed: u64,
    /// Sagas that ended compensated.
    pub compensated: u64,
    /// Records in the log that do not count.
    pub dead: u64,
    /// Claims that counted.
    pub claims: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Everything that is wrong; nothing when all held.
    pub wrong: Vec<String>,
    /// Where the evidence is.
    pub evidence: Option<PathBuf>,
}

impl Verdict {
    /// Whether everything held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// Lets one disaster strike, on servers of our own. `program` is this one; evidence goes into a folder below `kept`.
///
/// # Errors
/// When the evidence cannot be kept. Everything else is in the verdict.
pub(crate) async fn run(
    disaster: &dyn Disaster,
    servers: &Servers,
    seed: u64,
    program: &Path,
    kept: &Path,
) -> anyhow::Result<Verdict> {
    let begun = Instant::now();
    let folder = kept.join(format!("{}-{seed}", disaster.name()));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut verdict = Verdict {
        disaster: disaster.name(),
        seed,
        did: String::new(),
        acknowledged: 0,
        completed: 0,
        compensated: 0,
        dead: 0,
        claims: 0,
        seconds: 0.0,
        wrong: Vec::new(),
        evidence: None,
    };
    let strikes = strike(disaster, servers, program, &folder, &mut verdict).await;
    if let Err(e) = strikes {
        verdict.wrong.push(format!("{e:#}"));
    }
    verdict.seconds = begun.elapsed().as_secs_f64();
    if verdict.held() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    } else {
        evidence::keep(&folder, servers, &verdict)?;
        verdict.evidence = Some(folder);
    }
    if disaster.is_alone() {
        // Whatever it ended is there again before the next one.
        servers.up()?;
    }
    Ok(verdict)
}

/// From the first process to the last. What is wrong is in the verdict; an error is what kept it from being judged.
async fn strike(
    disaster: &dyn Disaster,
    servers: &Servers,
    program: &Path,
    folder: &Path,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let (program, logs) = (program.to_owned(), folder.to_owned());
    let mut scene = Scene::set(servers, program, logs, verdict.seed, disaster.nodes()).await?;
    let place = Arc::clone(&scene.place);
    let judged = strike_and_judge(disaster, &mut scene, verdict).await;
    if judged.is_err() || !verdict.held() {
        evidence::records(&place, folder).await;
        return judged;
    }
    Scene::end(std::mem::take(&mut scene.nodes)).await?;
    drop(scene);
    match Arc::into_inner(place) {
        Some(place) => place.leave().await,
        None => Ok(()),
    }
}

async fn strike_and_judge(
    disaster: &dyn Disaster,
    scene: &mut Scene<'_>,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let struck = disaster.strike(scene).await?;
    verdict.did.clone_from(&struck.did);
    scene.whole("when it has passed").await?;
    scene.progress(AFTER).await?;
    let (client, mut helped) = (scene.load.client(), 0);
    let history = tokio::select! {
        history = scene.load.stop(REST) => history?,
        never = person::looks_after(&scene.place, &client, &mut helped) => match never {},
    };
    if helped > 0 {
        write!(verdict.did, "; steps that a person had tried again: {helped}")?;
    }
    let Judged { wrong, folded } = judge(&scene.place, &history, REST).await?;
    let answered = history.asked.iter().filter(|asked| asked.told.is_some()).count();
    verdict.acknowledged = answered + history.sagas.iter().filter(|moved| moved.started).count();
    let counts = folded.report.counts;
    (verdict.completed, verdict.compensated) = (counts.completed, counts.compensated);
    (verdict.dead, verdict.claims) = (counts.dead, counts.claims);
    verdict.wrong = wrong;
    if struck.dead && counts.dead == 0 {
        verdict.wrong.push("the harm did not reach the log: no record in it is dead".into());
    }
    scene.alive()
}
