//! The first record of each partition of `events`: finding out what is there, and writing it once.
//!
//! A genesis that differs from the first stops a shard for ever, so two processes that create at the same time must write
//! the same one. They elect it on `replies`, partition 0: everyone who finds no genesis appends a proposal there, and the
//! first proposal is the genesis. A proposal that loses lies on a topic that forgets, where nobody reads it.
//!
//! | found on `events` | `create` |
//! |---|---|
//! | the same genesis everywhere | answers with it |
//! | nothing | elects one, writes it everywhere, reads it back |
//! | one here and there, the same | writes that one where it is missing: a creation that was interrupted |
//! | two different ones, or another record | refuses |

use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};

use super::{
    lane::{Lane, Served},
    producer::Pool,
    reader::Reader,
};
use crate::{
    address::Stream,
    codec::{self, Entry},
    commit::Genesis,
    log::{Append, LogError, Stored},
    record::Record,
};

/// What the partitions of a service begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    /// No record at all.
    Nothing,
    /// This genesis, not on all of them.
    Partly(Genesis),
    /// This genesis on all of them.
    Everywhere(Genesis),
}

/// Why genesis is not known to be written everywhere.
pub(super) enum NotWritten {
    /// Nothing was written to `events`.
    Refused(LogError),
    /// Something may have been.
    Unknown(LogError),
}

/// Reads what the partitions begin with.
pub(super) async fn first(reader: &Reader, served: &Served) -> Result<First, LogError> {
    let lanes = served.lanes(Stream::Events);
    let lows = try_join_all(lanes.iter().map(|lane| reader.ends().low(lane))).await?;
    if let Some((lane, low)) = lanes.iter().zip(lows).find(|(_, low)| *low > 0) {
        return Err(LogError::stop(format!(
            "{lane} begins at record {low}: history was deleted; restore the topic from a backup"
        )));
    }
    let firsts = try_join_all(lanes.iter().map(|lane| reader.read(lane, 0, 1))).await?;
    let mut found = Vec::with_capacity(lanes.len());
    for (lane, records) in lanes.iter().zip(firsts) {
        found.push(records.first().map(|stored| genesis_of(lane, stored)).transpose()?);
    }
    judge(lanes, found)
}

fn genesis_of(lane: &Lane, stored: &Stored) -> Result<Genesis, LogError> {
    let stop = |what: &str| {
        let place = format!("{lane}, record {}", stored.offset);
        LogError::stop(format!("{place}: {what}: the topic is not a log of ours, use another prefix"))
    };
    match codec::decode(&stored.record) {
        Ok(Some(Entry::Genesis(genesis))) => Ok(genesis),
        Ok(_) => Err(stop("it is no genesis")),
        Err(e) => Err(stop(&e.to_string())),
    }
}

fn judge(lanes: &[Arc<Lane>], found: Vec<Option<Genesis>>) -> Result<First, LogError> {
    let missing = found.iter().any(Option::is_none);
    let mut there = lanes.iter().zip(found).filter_map(|(lane, genesis)| Some((lane, genesis?)));
    let Some((at, genesis)) = there.next() else { return Ok(First::Nothing) };
    if let Some((lane, other)) = there.find(|(_, other)| *other != genesis) {
        return Err(LogError::stop(format!(
            "{at} begins with the genesis of log {} of {:?} and {lane} with that of log {} of {:?}: two logs were mixed; \
             restore the topic",
            genesis.log_id, genesis.service, other.log_id, other.service
        )));
    }
    Ok(if missing { First::Partly(genesis) } else { First::Everywhere(genesis) })
}

/// Elects a genesis among all who propose one now.
pub(super) async fn elect(
    pool: &Pool,
    reader: &Reader,
    served: &Served,
    proposal: Record,
) -> Result<Genesis, LogError> {
    let lane = served.lanes(Stream::Replies).first();
    let lane = lane.ok_or_else(|| LogError::stop("there is no partition to elect a genesis on"))?;
    match pool.append(lane, vec![proposal]).await {
        Append::Appended(_) => {}
        Append::Refused(error) | Append::Unknown(error) => return Err(error),
    }
    let mut from = reader.ends().low(lane).await?;
    loop {
        let page = reader.read(lane, from, 100).await?;
        let Some(last) = page.last() else {
            return Err(LogError::retry(format!("{lane}: the proposal of a genesis cannot be read yet")));
        };
        from = last.offset.saturating_add(1);
        let winner = page.iter().find_map(|stored| genesis_of(lane, stored).ok());
        if let Some(winner) = winner {
            return Ok(winner);
        }
    }
}

/// Writes genesis where there is none, and reads it back everywhere.
pub(super) async fn write(
    pool: &Pool,
    reader: &Reader,
    served: &Served,
    genesis: &Genesis,
    record: &Record,
) -> Result<(), NotWritten> {
    let lanes = served.lanes(Stream::Events);
    let ends = try_join_all(lanes.iter().map(|lane| reader.end(lane))).await.map_err(NotWritten::Refused)?;
    let empty = lanes.iter().zip(ends).filter(|(_, end)| *end == 0).map(|(lane, _)| lane);
    let appended = join_all(empty.map(|lane| pool.append(lane, vec![record.clone()]))).await;
    for append in appended {
        if let Append::Refused(error) | Append::Unknown(error) = append {
            return Err(NotWritten::Unknown(error));
        }
    }
    match first(reader, served).await {
        Ok(First::Everywhere(found)) if found == *genesis => Ok(()),
        Ok(_) => {
            let what = format!("genesis of {:?} is not everywhere yet: create it again", genesis.service);
            Err(NotWritten::Unknown(LogError::retry(what)))
        }
        Err(error) => Err(NotWritten::Unknown(error)),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::log::kafka::settings::KafkaSettings;

    fn genesis(id: u128) -> Genesis {
        Genesis { log_id: Uuid::from_u128(id), service: "hotel".into(), partitions: 3, format: 1 }
    }

    fn judged(found: [Option<u128>; 3]) -> Result<First, LogError> {
        let served = Served::new(&KafkaSettings::new("localhost:9092"), genesis(1));
        judge(served.lanes(Stream::Events), found.map(|id| id.map(genesis)).into())
    }

    #[test]
    fn what_is_there_is_judged_by_all_partitions() {
        assert_eq!(judged([None, None, None]), Ok(First::Nothing));
        assert_eq!(judged([None, Some(7), None]), Ok(First::Partly(genesis(7))));
        assert_eq!(judged([Some(7), Some(7), Some(7)]), Ok(First::Everywhere(genesis(7))));
        let mixed = judged([Some(7), None, Some(8)]).unwrap_err();
        assert!(mixed.what.contains("hotel.events/0") && mixed.what.contains("hotel.events/2"), "{mixed}");
    }
}
