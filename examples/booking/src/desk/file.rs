//! The desk's eyes on the log of a folder: they look at the file, beside the node.

use std::{path::Path, sync::Arc, time::Duration};

use palinode::{Clock, SystemClock};
use palinode_verify::{CannotRead, Log, Partition, Source};

use super::Asked;

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// No partition is longer than this.
const OPEN_END: u64 = 1 << 39;

struct Reader {
    log: Log,
    shards: Vec<Shard>,
}

struct Shard {
    of: Partition,
    next: u64,
}

/// Tells what comes from now on, until nobody wants to be told.
///
/// # Errors
/// When the log cannot be opened.
pub(super) fn watch(folder: &Path, asked: Arc<Asked>) -> anyhow::Result<()> {
    let log = Log::open(folder)?;
    let trips = log.partitions().into_iter().filter(|p| &*p.service == "trip");
    let shards = trips.map(|p| Shard { next: p.end, of: Partition { end: OPEN_END, ..p } }).collect();
    tokio::spawn(look(Reader { log, shards }, asked));
    Ok(())
}

async fn look(mut reader: Reader, asked: Arc<Asked>) {
    while !asked.is_closed() {
        SystemClock.wait_until(SystemClock.now().plus(LOOK)).await;
        let to = Arc::clone(&asked);
        let looked = tokio::task::spawn_blocking(move || {
            let read = reader.news(&to);
            (reader, read)
        });
        let Ok((back, read)) = looked.await else { return };
        reader = back;
        // The file is busy: the next look reads the same.
        if let Err(e) = read {
            tracing::debug!("the desk cannot look: {e}");
        }
    }
}

impl Reader {
    /// Tells what came since the last look.
    fn news(&mut self, asked: &Asked) -> Result<(), CannotRead> {
        for Shard { of, next } in &mut self.shards {
            loop {
                let page = self.log.page(of, *next)?;
                let Some(last) = page.last() else { break };
                *next = last.offset + 1;
                asked.tell(page.iter().map(|record| &*record.value));
            }
        }
        Ok(())
    }
}
