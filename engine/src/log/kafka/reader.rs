//! Reading. A read that begins where another ended goes on with that one's *reading*: a partition that a consumer
//! fetches, in a queue of its own that the read takes from without waiting. So a steady tail costs no request, and many
//! partitions share a few consumers.
//!
//! | a read | is served by |
//! |---|---|
//! | of one record | a consumer that is idle otherwise (`Gap`), and ends there |
//! | of more | a reading, which stays open for a few seconds |
//! | at the end of `events` | nobody: that the end was reached is known from acknowledgements, or asked for |
//! | at the end of `inbox` and `replies` | a reading that lingers a little: whoever reads them polls, and news is urgent |
//!
//! That a read comes back empty is no proof of anything (L6): the claim is.

mod desk;
mod ends;
mod slot;
mod stream;

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use self::{desk::Desk, slot::Class, stream::Broken};
pub(super) use self::{ends::Ends, stream::Stream};
use super::{lane::Lane, settings::KafkaSettings};
use crate::{
    address,
    log::{LogError, Stored},
};

/// How long a read waits for records that must be there.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a read at the end of an inbox lingers.
const LINGER: Duration = Duration::from_millis(100);

/// How often in turn records do not come that the leader has, before a consumer is given up. Once, a busy machine may do.
const SILENT: u32 = 2;

/// What a reading gives.
enum Page {
    Of(Vec<Stored>),
    End,
    /// Nothing: what was asked for is gone, and this is the first record there is.
    BeginsAt(u64),
}

/// Reads, of every lane.
pub(super) struct Reader {
    desk: Desk,
    ends: Ends,
}

impl Reader {
    /// Starts its consumers and their two threads.
    pub(super) fn start(settings: &KafkaSettings) -> Result<Self, LogError> {
        Ok(Self { desk: Desk::start(settings)?, ends: Ends::start(settings)? })
    }

    /// Where lanes begin and end.
    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// The offset after the last record, as far as it can be seen.
    pub(super) async fn end(&self, lane: &Arc<Lane>) -> Result<u64, LogError> {
        let shown = self.ends.end(lane).await?;
        if shown < lane.reached() {
            lane.doubt();
        }
        lane.reaches(shown);
        Ok(lane.reached())
    }

    /// Records from an offset on.
    pub(super) async fn read(
        &self,
        lane: &Arc<Lane>,
        mut from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        lane.asked(from);
        if limit == 0 {
            return Ok(Vec::new());
        }
        for fresh in [false, true] {
            let reading = match lane.take(from) {
                Some(reading) => reading,
                None => match self.open(lane, from, limit).await? {
                    Some(reading) => reading,
                    None => return Ok(Vec::new()),
                },
            };
            match self.page(lane, reading, limit).await? {
                // A queue may still have held what was fetched for a reading before this one.
                Page::Of(page) if !fresh && page.first().is_some_and(|first| first.offset != from) => {}
                Page::Of(page) => return Ok(page),
                Page::End => return Ok(Vec::new()),
                Page::BeginsAt(low) => from = low,
            }
        }
        Ok(Vec::new())
    }

    /// A reading from here on; none when there is nothing to read.
    async fn open(&self, lane: &Arc<Lane>, from: u64, limit: usize) -> Result<Option<Stream>, LogError> {
        if from >= lane.reached() {
            let end = self.end(lane).await?;
            let tail = is_tail(lane) && from == end && limit > 1;
            if from >= end && !tail {
                return Ok(None);
            }
        }
        let class = match limit {
            1 => Class::Gap,
            _ if is_tail(lane) => Class::Tail,
            _ => Class::Events,
        };
        self.desk.open(lane, class, from).await.map(Some)
    }

    /// What a reading has.
    async fn page(&self, lane: &Arc<Lane>, mut reading: Stream, limit: usize) -> Result<Page, LogError> {
        let mut lingered = false;
        loop {
            match reading.page(limit) {
                Ok(page) => {
                    if let Some(last) = page.last() {
                        lane.reaches(last.offset.saturating_add(1));
                        lane.comes();
                        reading.keep(lane, limit);
                        return Ok(Page::Of(page));
                    }
                }
                Err(Broken::OutOfRange) => return self.out_of_range(lane, reading.next()).await,
                Err(Broken::Failed(error)) => return Err(error),
            }
            let at_end = reading.next() >= lane.reached();
            if at_end && (lingered || !is_tail(lane)) {
                reading.keep(lane, limit);
                return Ok(Page::End);
            }
            lingered = at_end;
            let wait = if at_end { LINGER } else { PATIENCE };
            if timeout(wait, reading.news()).await.is_err() && !at_end {
                return self.nothing_came(lane, &reading).await;
            }
        }
    }

    /// Records were known to be there and did not come: a leader that is behind, a log that was cut, a foreign
    /// transaction's mark, or a client that is stuck. The reading is given up in any case.
    async fn nothing_came(&self, lane: &Arc<Lane>, reading: &Stream) -> Result<Page, LogError> {
        let (next, known) = (reading.next(), lane.reached());
        let shown = self.ends.end(lane).await?;
        tracing::warn!(%lane, next, known, shown, "records that should be there did not come");
        lane.doubt();
        if shown <= next {
            lane.shows_only(shown);
        } else if lane.comes_not() >= SILENT {
            reading.give_consumer_up();
        }
        Ok(Page::End)
    }

    /// The broker has no such offset: history was deleted, or its leader is behind (or cut) and shows less. What an inbox or
    /// the replies kept too short is the reader's to notice (L6).
    async fn out_of_range(&self, lane: &Arc<Lane>, from: u64) -> Result<Page, LogError> {
        let low = self.ends.low(lane).await?;
        if from < low && is_tail(lane) {
            return Ok(Page::BeginsAt(low));
        }
        if from < low {
            return Err(LogError::stop(format!(
                "{lane}, record {from}: it is not there, the log begins at {low}: history was deleted; restore the topic"
            )));
        }
        let shown = self.ends.end(lane).await?;
        tracing::warn!(%lane, from, shown, "out of range: the leader shows less than was asked for");
        lane.doubt();
        lane.shows_only(shown);
        Ok(Page::End)
    }
}

/// Whether those who read it poll for news all the time.
fn is_tail(lane: &Lane) -> bool {
    lane.stream != address::Stream::Events
}
