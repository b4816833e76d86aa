//! The read models of a process, and who reads them: they are started and stopped as the world wants them, and readers
//! wait for their own writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use palinode::{
    Node, Token,
    projection::{ApplyError, Difference, ReadModel, ShardStatus, State, Waited},
};

use crate::{
    db::SimDb,
    desk::{Asked, What},
    read_models::{Balances, Code, Holders, Mistake, Model, Turnover, Visits},
    world::World,
};

/// Every projection with its service.
pub(crate) const ALL: [(&str, &str); 4] =
    [("balances", "bank"), ("turnover", "bank"), ("holders", "stock"), ("visits", "stock")];
/// The highest version there is code for.
pub(crate) const VERSIONS: u32 = 3;
/// How often a process looks what it is to run.
const LOOK: Duration = Duration::from_millis(500);

/// What readers were told about a token.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) projection: &'static str,
    pub(crate) token: Token,
    pub(crate) waited: Waited,
    /// How many transactions were committed then.
    pub(crate) age: usize,
}

/// How two versions differed.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    pub(crate) projection: &'static str,
    pub(crate) versions: (u32, u32),
    pub(crate) found: Difference,
    /// How many transactions were committed then.
    pub(crate) age: usize,
}

/// What the world wants of its read models, and what their readers heard.
pub(crate) struct Readers {
    pub(crate) code: Arc<Code>,
    inner: Mutex<Inner>,
}

struct Inner {
    wanted: BTreeMap<&'static str, BTreeSet<u32>>,
    told: Vec<Told>,
    waiting: usize,
    tokens: u64,
    desk: Vec<Asked>,
    compared: Vec<Compared>,
    tidy: bool,
}

impl Readers {
    pub(crate) fn new(mistake: Option<Mistake>) -> Self {
        let wanted = ALL.iter().map(|(projection, _)| (*projection, BTreeSet::from([1]))).collect();
        let inner = Inner {
            wanted,
            told: Vec::new(),
            waiting: 0,
            tokens: 0,
            desk: Vec::new(),
            compared: Vec::new(),
            tidy: false,
        };
        let code = Arc::new(Code { mistake, ..Code::default() });
        Self { code, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The versions of a projection that are to run.
    pub(crate) fn wanted(&self, projection: &str) -> BTreeSet<u32> {
        self.lock().wanted.get(projection).cloned().unwrap_or_default()
    }

    pub(crate) fn want(&self, projection: &'static str, version: u32, wanted: bool) {
        let mut inner = self.lock();
        let versions = inner.wanted.entry(projection).or_default();
        if wanted {
            versions.insert(version);
        } else {
            versions.remove(&version);
        }
    }

    pub(crate) fn mend(&self) {
        self.code.mended.store(true, Ordering::SeqCst);
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.lock().told.clone()
    }

    /// Somebody at the desk asks: the name they ask under.
    pub(crate) fn asks(&self, what: What) -> String {
        let mut inner = self.lock();
        let by = format!("desk-{}", inner.desk.len());
        inner.desk.push(Asked { by: by.clone(), what, answer: None });
        by
    }

    pub(crate) fn answers(&self, by: &str, answer: Option<Result<usize, String>>) {
        if let Some(asked) = self.lock().desk.iter_mut().find(|asked| asked.by == by) {
            asked.answer = answer;
        }
    }

    pub(crate) fn compares(&self, compared: Compared) {
        self.lock().compared.push(compared);
    }

    pub(crate) fn compared(&self) -> Vec<Compared> {
        self.lock().compared.clone()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.lock().desk.clone()
    }

    /// Whether all that can be done at the desk is done.
    pub(crate) fn set_tidy(&self, tidy: bool) {
        self.lock().tidy = tidy;
    }

    /// Whether anybody still waits, or is at the desk.
    pub(crate) fn busy(&self) -> bool {
        let inner = self.lock();
        inner.waiting > 0 || !inner.tidy
    }
}

/// Keeps the wanted read models running in this process as long as it is to have them; never returns.
pub(crate) async fn keep(world: &World, node: usize, life: u64, running: &Node, db: SimDb) {
    let stopped = |s: &ShardStatus| matches!(s.state, State::Stopped { .. });
    let mut models: BTreeMap<(&'static str, u32), ReadModel> = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let projects = world.projects(node);
        let wanted =
            |(name, version): &(&'static str, u32)| projects && world.readers.wanted(name).contains(version);
        let over: Vec<_> = models
            .iter()
            .filter(|(of, model)| !wanted(of) || model.status().iter().any(stopped))
            .map(|(of, _)| *of)
            .collect();
        for of in over {
            if let Some(model) = models.remove(&of) {
                model.stop().await;
            }
        }
        let all = ALL.iter().flat_map(|(name, service)| (1..=VERSIONS).map(move |v| (*name, *service, v)));
        let missing: Vec<_> = all
            .filter(|(name, _, version)| {
                wanted(&(name, *version)) && !models.contains_key(&(*name, *version))
            })
            .collect();
        let started = missing.into_iter().map(|(name, service, version)| {
            let (code, db) = (Arc::clone(&world.readers.code), db.clone());
            async move { ((name, version), start(running, service, name, version, code, db).await) }
        });
        for (of, started) in join_all(started).await {
            if let Ok(model) = started {
                models.insert(of, model);
            }
        }
        world.set_models(node, life, models.values().cloned().collect());
    }
}

async fn start(
    node: &Node,
    service: &str,
    name: &str,
    version: u32,
    code: Arc<Code>,
    db: SimDb,
) -> Result<ReadModel, ApplyError> {
    macro_rules! versions {
        ($table:ty) => {
            match version {
                1 => node.project_all_into(service, Model::<$table, 1>(code, PhantomData), db).await,
                2 => node.project_all_into(service, Model::<$table, 2>(code, PhantomData), db).await,
                _ => node.project_all_into(service, Model::<$table, 3>(code, PhantomData), db).await,
            }
        };
    }
    match name {
        "balances" => versions!(Balances),
        "turnover" => versions!(Turnover),
        "holders" => versions!(Holders),
        _ => versions!(Visits),
    }
}

/// A client was given this token: some wait for it, beside what the client does next.
pub(crate) fn given(world: &World, token: &Token) {
    let nth = {
        let mut inner = world.readers.lock();
        inner.tokens += 1;
        inner.tokens
    };
    let mine: Vec<_> = ALL.iter().filter(|(_, service)| **service == *token.service).collect();
    let pick = usize::try_from(nth).unwrap_or(0);
    if mine.is_empty() || nth.is_multiple_of(3) {
        return;
    }
    let projection = mine[pick % mine.len()].0;
    let within = Duration::from_millis([300, 2_000, 8_000][pick % 3]);
    tokio::spawn(wait(world.clone(), projection, token.clone(), within, pick));
}

/// Waits for a token where the projection runs, and remembers what was said.
async fn wait(world: World, projection: &'static str, token: Token, within: Duration, turn: usize) {
    world.readers.lock().waiting += 1;
    let models = world.models(projection);
    if let Some(model) = models.get(turn % models.len().max(1)) {
        let longest = within + Duration::from_secs(20);
        // A process that died meanwhile never answers.
        if let Ok(waited) = tokio::time::timeout(longest, model.wait_for(&token, within)).await {
            let age = world.db.age();
            world.readers.lock().told.push(Told { projection, token, waited, age });
        }
    }
    world.readers.lock().waiting -= 1;
}
