//! Many seeds on all cores, each world on a thread of its own: what was reached, what failed, and the zoo.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use serde::Serialize;

use crate::{
    run::{Ran, remember_panics, run},
    script::Script,
    zoo,
};

/// Seeds that failed once, with what they found: they run before all others.
const KNOWN: &str = include_str!("../seeds.txt");
/// Failures kept; the rest is only counted.
const KEPT: usize = 20;

/// Which seeds are run.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// How many.
    pub seeds: u64,
    /// The first.
    pub from: u64,
    /// No seed begins after this much time.
    pub within: Option<Duration>,
    /// Worlds at a time.
    pub threads: usize,
    /// Whether the seeds that failed once run first.
    pub known: bool,
}

/// A seed whose world is not as it must be.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What is wrong with it.
    pub wrong: Vec<String>,
}

/// What came out of many seeds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Worlds that were run.
    pub seeds: u64,
    /// Of these, how many failed.
    pub failed: u64,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// Sagas started.
    pub sagas: u64,
    /// Effective commits.
    pub commits: u64,
    /// Records that do not count.
    pub dead: u64,
    /// Hours of virtual time.
    pub virtual_hours: f64,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Rare states reached, in how many worlds.
    pub marks: BTreeMap<String, u64>,
    /// Rare states that no world reached.
    pub unreached: Vec<String>,
    /// The numbers of all worlds, by seed: two campaigns of the same seeds have the same.
    #[serde(skip)]
    pub traces: BTreeMap<u64, u64>,
}

impl Summary {
    fn take(&mut self, seed: u64, ran: Ran) {
        self.seeds += 1;
        self.sagas += ran.sagas;
        self.commits += ran.commits;
        self.dead += ran.dead;
        self.virtual_hours += ran.lasted.as_secs_f64() / 3_600.0;
        self.traces.insert(seed, ran.trace);
        for (what, n) in ran.faults {
            *self.faults.entry(what).or_default() += n;
        }
        for mark in ran.marks.into_keys() {
            *self.marks.entry(mark.to_owned()).or_default() += 1;
        }
        if !ran.wrong.is_empty() {
            self.failed += 1;
            if self.failures.len() < KEPT {
                self.failures.push(Failure { seed, wrong: ran.wrong });
            }
        }
    }

    /// Faults of all kinds.
    #[must_use]
    pub fn injected(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// Every mark that stands in the source of the engine and of sagas.
fn all_marks() -> BTreeSet<String> {
    include_str!("../marks.txt").lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The seeds that failed once.
#[must_use]
pub fn known_seeds() -> Vec<u64> {
    let seed = |line: &str| line.split_whitespace().next().and_then(|word| word.parse().ok());
    KNOWN.lines().filter(|line| !line.starts_with('#')).filter_map(seed).collect()
}

/// Runs a campaign; `told` hears after each world how many were run and how many failed.
pub fn campaign(of: &Campaign, mut told: impl FnMut(u64, u64)) -> Summary {
    remember_panics();
    let seeds: Vec<u64> = if of.known { known_seeds() } else { Vec::new() };
    let seeds = Mutex::new(seeds.into_iter().chain(of.from..of.from.saturating_add(of.seeds)));
    let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
    let over = AtomicBool::new(false);
    let mut summary = Summary::default();
    std::thread::scope(|scope| {
        let (ran, results) = mpsc::channel();
        for _ in 0..of.threads.max(1) {
            let (ran, next, over) = (ran.clone(), &next, &over);
            scope.spawn(move || {
                while let Some(seed) = next().filter(|_| !over.load(Ordering::Relaxed)) {
                    if ran.send((seed, run(&Script::draw(seed)))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(ran);
        let clock = Stopwatch::start();
        while let Ok((seed, ran)) = results.recv() {
            summary.take(seed, ran);
            told(summary.seeds, summary.failed);
            if of.within.is_some_and(|within| clock.passed() >= within) {
                over.store(true, Ordering::Relaxed);
            }
        }
    });
    let reached: BTreeSet<String> = summary.marks.keys().cloned().collect();
    summary.unreached = all_marks().difference(&reached).cloned().collect();
    summary.failures.sort_by_key(|failure| failure.seed);
    summary
}

/// Real time, for people who wait.
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// From now on.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "it tells people how long they waited, and no world")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Since its start.
    #[must_use]
    pub fn passed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What became of a planted bug.
#[derive(Debug, Clone, Serialize)]
pub struct Caught {
    /// The bug.
    pub bug: &'static str,
    /// The first seed that found it; none: no seed did.
    pub seed: Option<u64>,
    /// What the seed found.
    pub found: Option<String>,
}

/// Plants each bug of the zoo in turn and looks for the first of so many seeds that finds it.
pub fn run_zoo(seeds: u64, only: Option<&str>, threads: usize, mut told: impl FnMut(&Caught)) -> Vec<Caught> {
    remember_panics();
    let bugs: Vec<&'static str> =
        zoo::BUGS.into_iter().filter(|bug| only.is_none_or(|only| *bug == only)).collect();
    let next = AtomicU64::new(0);
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let (send, caught) = mpsc::channel();
        for _ in 0..threads.max(1) {
            let (send, next, bugs) = (send.clone(), &next, &bugs);
            scope.spawn(move || {
                let take = || usize::try_from(next.fetch_add(1, Ordering::Relaxed)).ok();
                while let Some(bug) = take().and_then(|n| bugs.get(n)) {
                    let found = (1..=seeds).find_map(|seed| {
                        let ran = zoo::with(bug, || run(&Script::draw(seed)));
                        ran.wrong.first().map(|first| (seed, first.clone()))
                    });
                    let (seed, found) = found.unzip();
                    drop(send.send(Caught { bug, seed, found }));
                }
            });
        }
        drop(send);
        while let Ok(one) = caught.recv() {
            told(&one);
            all.push(one);
        }
    });
    all.sort_by_key(|caught| caught.bug);
    all
}
