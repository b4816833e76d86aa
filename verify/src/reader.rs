//! Walking a log: the records of a partition judged in order, the effective commits of a shard, and those of a whole
//! service merged by time. For checks, and for programs that compute a state of their own from the log.

use std::{collections::VecDeque, iter::Peekable, sync::Arc};

use uuid::Uuid;

use crate::{
    fold::{Fold, Impossible, Judged, Place},
    record::{Commit, Entity, Peer},
    report::{Finding, Rule},
    source::{CannotRead, Partition, Source, Stored},
};

/// Why reading a partition stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The records could not be read.
    CannotRead(CannotRead),
    /// A record cannot be in a sound log; nothing after it can be judged.
    Impossible(Box<Finding>),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CannotRead(why) => why.fmt(f),
            Self::Impossible(finding) => finding.fmt(f),
        }
    }
}

impl std::error::Error for Stop {}

/// A commit that counts, and where it stands.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The shard it belongs to.
    pub at: Peer,
    /// Its record.
    pub offset: u64,
    /// What it says.
    pub commit: Box<Commit>,
}

impl Effective {
    /// The entity it is about; `None` for acts of the engine.
    #[must_use]
    pub fn entity(&self) -> Option<&Entity> {
        self.commit.entity.as_ref()
    }

    /// The entity's version after it.
    #[must_use]
    pub fn version_after(&self) -> Option<u64> {
        let events = u64::try_from(self.commit.events.len()).unwrap_or(u64::MAX);
        self.entity().map(|e| e.version.saturating_add(events))
    }
}

/// All records of one partition, judged in order; after a [`Stop`] there is no next.
pub struct Reader<'a> {
    source: &'a dyn Source,
    partition: Partition,
    fold: Fold,
    page: VecDeque<Stored>,
    next: u64,
    stopped: bool,
}

impl<'a> Reader<'a> {
    /// From the beginning of a partition.
    #[must_use]
    pub fn new(source: &'a dyn Source, partition: Partition) -> Self {
        let fold = Fold::new(Arc::clone(&partition.service));
        Self { source, partition, fold, page: VecDeque::new(), next: 0, stopped: false }
    }

    /// Where the fold stands after what was read; `None` before genesis.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.fold.place()
    }

    fn read(&mut self) -> Result<Option<(u64, Judged)>, Stop> {
        if self.next >= self.partition.end {
            return Ok(None);
        }
        if self.page.is_empty() {
            self.page = self.source.page(&self.partition, self.next).map_err(Stop::CannotRead)?.into();
        }
        let expected = self.next;
        let Some(stored) = self.page.pop_front().filter(|s| s.offset == expected) else {
            let text = "a gap: the record is missing".to_owned();
            let expected = "offsets without gap".to_owned();
            return Err(self.impossible(Impossible { rule: Rule::Readable, found: text, expected }));
        };
        let judged = self.fold.next(&stored).map_err(|why| self.impossible(why))?;
        self.next = self.next.saturating_add(1);
        Ok(Some((stored.offset, judged)))
    }

    fn impossible(&self, Impossible { rule, found, expected }: Impossible) -> Stop {
        let Partition { service, shard, .. } = &self.partition;
        let (service, shard, offset) = (Arc::clone(service), *shard, Some(self.next));
        Stop::Impossible(Box::new(Finding { rule, service, shard, offset, found, expected }))
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<(u64, Judged), Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        let read = self.read();
        self.stopped = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}

/// The effective commits of one shard, in order.
///
/// ```no_run
/// # let log = palinode_verify::Log::open("data")?;
/// for commit in palinode_verify::commits(&log, "hotel", 3) {
///     let commit = commit?;
///     for event in &commit.commit.events {
///         println!("{:?} {} {}", commit.entity(), event.name, event.data);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn commits<'a>(
    source: &'a dyn Source,
    service: &str,
    shard: u32,
) -> impl Iterator<Item = Result<Effective, Stop>> + use<'a> {
    let partition = source.partitions().into_iter().find(|p| &*p.service == service && p.shard == shard);
    partition.into_iter().flat_map(move |p| Shard(Reader::new(source, p)))
}

/// The effective commits of all shards of a service, merged by their time: a cause comes before its effect.
pub fn commits_by_time<'a>(source: &'a dyn Source, service: &str) -> ByTime<'a> {
    let mut partitions = source.partitions();
    partitions.retain(|p| &*p.service == service);
    ByTime(partitions.into_iter().map(|p| Shard(Reader::new(source, p)).peekable()).collect())
}

/// A reader that gives the commits that count only.
struct Shard<'a>(Reader<'a>);

impl Iterator for Shard<'_> {
    type Item = Result<Effective, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (offset, commit) = match self.0.next()? {
                Ok((offset, Judged::Effective(commit))) => (offset, commit),
                Ok(_) => continue,
                Err(stop) => return Some(Err(stop)),
            };
            let log_id = self.0.place().map_or(Uuid::nil(), |p| p.genesis.log_id);
            let Partition { service, shard, .. } = &self.0.partition;
            let at = Peer { service: Arc::clone(service), log_id, shard: *shard };
            return Some(Ok(Effective { at, offset, commit }));
        }
    }
}

/// See [`commits_by_time`].
pub struct ByTime<'a>(Vec<Peekable<Shard<'a>>>);

impl Iterator for ByTime<'_> {
    type Item = Result<Effective, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        // A shard that stopped says so first: nothing merged after it would be whole.
        let time = |shard: &mut Peekable<Shard<'_>>| match shard.peek() {
            Some(Ok(e)) => Some(e.commit.time),
            Some(Err(_)) => Some(i64::MIN),
            None => None,
        };
        let times = self.0.iter_mut().enumerate().filter_map(|(i, shard)| Some((time(shard)?, i)));
        let (_, first) = times.min()?;
        self.0.get_mut(first)?.next()
    }
}
