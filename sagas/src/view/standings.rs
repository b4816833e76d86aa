//! How many instances stand where, as gauges: counted now and then in the rows of those shards that are followed here, so
//! that the numbers of all processes add up. What was counted last is told whenever somebody asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use palinode::{
    Clock, Micros, Node,
    measure::{Instrument, Measured},
    projection::{ReadModel, State},
    telemetry::{Level, Levels},
};

use super::{SagaRows, rows::Reads};

/// Those that have not ended by where they stand, and those of which something leaked, ended or not.
const COUNT: &str = "select definition, status, shard, count(*) as sagas, count(parked) as parked,
    min(waiting_since) as since
  from palinode_saga
  where status in ('none', 'forward', 'committing', 'finishing', 'undoing', 'stuck') and service = $1
  group by definition, status, shard
union all
  select definition, 'leaks', shard, count(*), cast(0 as bigint), cast(null as bigint)
  from palinode_saga where leaks is not null and service = $1
  group by definition, shard";

static ACTIVE: Instrument = Instrument::gauge("saga.active", "{saga}", "Sagas that have not ended.");
static STUCK: Instrument = Instrument::gauge("saga.stuck", "{saga}", "Sagas that need a person.");
static PARKED: Instrument = Instrument::gauge("saga.parked", "{saga}", "Sagas that are set aside.");
static LEAKS: Instrument =
    Instrument::gauge("saga.leaks", "{saga}", "Sagas of which something may stand that nobody takes back.");
static OLDEST: Instrument =
    Instrument::gauge("saga.oldest_wait.age", "s", "For how long the saga waits that waits the longest.");

/// Instances of a definition that stand alike, in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub definition: Arc<str>,
    pub status: Arc<str>,
    pub shard: u32,
    pub sagas: u32,
    pub parked: u32,
    /// Since when the oldest of them waits.
    pub since: Option<Micros>,
}

/// The gauges of the sagas of one service.
pub struct Standings {
    model: ReadModel,
    clock: Arc<dyn Clock>,
    counted: Mutex<Vec<Group>>,
    /// Those that were ever met: nothing of them is nothing, and not no answer.
    known: Mutex<BTreeSet<Arc<str>>>,
}

impl Standings {
    /// Counts from now on, as often as this, what [`SagaRows`] holds of the service that it follows, until the node or the
    /// read model ends; the node tells it to its observer.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
    /// # #[cfg(feature = "sqlite")] {
    /// # let folder = tempfile::tempdir()?;
    /// use std::time::Duration;
    /// use palinode::{Node, Service};
    /// use palinode_sagas::{SagaRows, view::Standings};
    ///
    /// let node = Node::embedded(folder.path()).service(Service::new("trip")).start().await?;
    /// let sagas = node.project("trip", SagaRows).await?;
    /// Standings::count(&node, &sagas, node.read_db()?.clone(), Duration::from_secs(5));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn count<D: Reads + Clone + Send + 'static>(node: &Node, sagas: &ReadModel, db: D, every: Duration) {
        debug_assert_eq!(sagas.name(), SagaRows::NAME);
        let clock = sagas.clock();
        let standings = Arc::new(Self {
            model: sagas.clone(),
            clock: Arc::clone(&clock),
            counted: Mutex::default(),
            known: Mutex::default(),
        });
        let counting = Arc::downgrade(&standings);
        node.tell_levels(standings);
        tokio::spawn(async move {
            while let Some(standings) = counting.upgrade() {
                if standings.model.has_ended() {
                    return;
                }
                match db.groups(COUNT, standings.model.service()).await {
                    Ok(groups) => standings.counted(groups),
                    Err(error) => tracing::warn!(%error, "sagas are not counted: the numbers are old"),
                }
                drop(standings);
                clock.pass(every).await;
            }
        });
    }

    fn counted(&self, groups: Vec<Group>) {
        lock(&self.known).extend(groups.iter().map(|group| Arc::clone(&group.definition)));
        *lock(&self.counted) = groups;
    }
}

impl Levels for Standings {
    fn instruments(&self) -> &'static [&'static Instrument] {
        static ALL: &[&Instrument] = &[&ACTIVE, &STUCK, &PARKED, &LEAKS, &OLDEST];
        ALL
    }

    fn levels(&self, tell: &mut dyn FnMut(&str, &Level<'_>)) {
        let here: BTreeSet<u32> = self
            .model
            .status()
            .into_iter()
            .filter(|status| status.state != State::Elsewhere)
            .map(|status| status.shard)
            .collect();
        let groups: Vec<Group> =
            lock(&self.counted).iter().filter(|group| here.contains(&group.shard)).cloned().collect();
        let known = lock(&self.known).clone();
        for saga in known {
            let of: Vec<&Group> = groups.iter().filter(|group| group.definition == saga).collect();
            for measured in levels(&saga, &of, self.clock.now()) {
                tell(self.model.service(), &Level::Measured(&measured));
            }
        }
    }
}

/// The levels of one definition.
fn levels(saga: &Arc<str>, groups: &[&Group], now: Micros) -> Vec<Measured> {
    let name = || ("saga", Arc::clone(saga));
    let mut states: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
    let (mut parked, mut leaks, mut oldest) = (0, 0, None);
    for group in groups {
        if &*group.status == "leaks" {
            leaks += group.sagas;
            continue;
        }
        *states.entry(&group.status).or_default() += group.sagas;
        parked += group.parked;
        oldest = oldest.into_iter().chain(group.since).min();
    }
    let stuck = states.iter().find(|(state, _)| &****state == "stuck").map_or(0, |(_, sagas)| *sagas);
    let age = oldest.map_or(0.0, |since| now.since(since).as_secs_f64());
    let active = states
        .into_iter()
        .map(|(state, sagas)| ACTIVE.of(f64::from(sagas), [name(), ("state", Arc::clone(state))]));
    let mut all: Vec<Measured> = active.collect();
    all.extend([
        STUCK.of(f64::from(stuck), [name()]),
        PARKED.of(f64::from(parked), [name()]),
        LEAKS.of(f64::from(leaks), [name()]),
        OLDEST.of(age, [name()]),
    ]);
    all
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
