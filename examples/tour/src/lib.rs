//! A ladder of short programs, one idea each: see `examples/`. Here is only what several of them share.

pub mod stock;

use std::path::Path;

use palinode::{
    Address, Log, Topic,
    codec::{Entry, decode},
    commit::Commit,
    log::sqlite::SqliteLog,
};

/// The commits of one entity in the log of a folder, in order. Reads beside whoever writes.
///
/// A program for which every record counts would judge them by the fold rule; the log of one embedded node that nobody
/// else ever wrote to has no dead ones.
///
/// # Errors
/// When there is no log, or a record of it cannot be read.
pub async fn commits(folder: &Path, of: &Address) -> anyhow::Result<Vec<Commit>> {
    let log = SqliteLog::open_read_only(folder)?;
    let topic = Topic::events(of.service.clone());
    // The first record of every partition is genesis: it says how many there are.
    let first = log.read(&topic, 0, 0, 1).await?;
    let Some(Entry::Genesis(genesis)) = first.first().map(|s| decode(&s.record)).transpose()?.flatten()
    else {
        anyhow::bail!("the log of {} does not begin with genesis", of.service);
    };
    let shard = of.key().shard(genesis.partitions);
    let (mut found, mut from) = (Vec::new(), 0);
    loop {
        let records = log.read(&topic, shard, from, 500).await?;
        let Some(last) = records.last() else { break };
        from = last.offset.saturating_add(1);
        for stored in &records {
            let Some(Entry::Commit(commit)) = decode(&stored.record)? else { continue };
            if commit.entity.as_ref().is_some_and(|e| e.kind == of.kind && e.id == of.id) {
                found.push(*commit);
            }
        }
    }
    log.close().await?;
    Ok(found)
}

/// The code in the README and in the guides, run as tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../../../docs/configuration.md")]
    struct Configuration;
    #[doc = include_str!("../../../docs/sagas.md")]
    struct Sagas;
    #[doc = include_str!("../../../docs/read-models.md")]
    struct ReadModels;
}
