//! A shard whose runner is in another process: this one's stands by, and says from the checkpoint how far the rows have
//! come. Who runs it follows who owns the shard; that is a hint, and the epoch in the checkpoint is the fence.

use std::{sync::Arc, time::Duration};

use super::{
    Projection,
    footing::{settled, show_active},
    runner::{BACKOFF, Halt, Runner},
};
use crate::checkpoint::{About, ApplyError, News, ReadDb, State};

/// How often the checkpoint is looked at where the database does not tell that it has moved, and where it does.
const LOOK: Duration = Duration::from_millis(250);
const SELDOM: Duration = Duration::from_secs(1);

impl<D: ReadDb, P: Projection<D>> Runner<D, P> {
    /// Whether this process is to write the rows of this shard.
    pub(super) fn is_mine(&self) -> bool {
        self.source.tail.is_mine(self.key.shard)
    }

    /// Returns when this process is to write the rows; then they are taken over in a new epoch.
    pub(super) async fn stand_by(&mut self) -> Result<(), Halt> {
        self.epoch = None;
        let mut news = self.db.news(&About::one(&self.key));
        loop {
            self.tail.seen();
            if self.is_mine() {
                return Ok(());
            }
            let (key, board) = (self.key.clone(), self.db.board().clone());
            let found = self.db.transact(Box::new(move |tx| {
                Box::pin(async move {
                    show_active::<D>(tx, &board, &key).await?;
                    Ok((D::checkpoint(tx, &key).await?, D::parked(tx, &key).await?.len()))
                })
            }));
            let (checkpoint, parked) = settled(found.await)?;
            self.backoff = BACKOFF.0;
            self.status.tell(|status| {
                let position = checkpoint.as_ref().map(|at| at.position.clone());
                let news =
                    (status.state != State::Elsewhere, status.position != position, status.parked != parked);
                status.state = State::Elsewhere;
                status.time = checkpoint.map_or(status.time, |at| at.time);
                (status.position, status.parked) = (position, parked);
                news != (false, false, false)
            });
            let elsewhere =
                ApplyError::outage("another process writes the rows of this shard: it is to be asked");
            while let Some(ask) = self.asks.next() {
                ask.refuse(&elsewhere);
            }
            let clock = Arc::clone(&self.source.clock);
            let live = news.as_ref().is_some_and(News::is_live);
            let told = async {
                match &mut news {
                    Some(news) => news.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Halt::Asked),
                () = self.tail.changed() => {}
                () = self.asks.wait() => {}
                () = told => {}
                () = clock.pass(if live { SELDOM } else { LOOK }) => {}
            }
        }
    }
}
