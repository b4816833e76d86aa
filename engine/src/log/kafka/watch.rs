//! Looks at the topics of a service again: every hour, and soon after something made them doubtful. One that is not fit
//! any more, at several looks in a row, refuses everything from then on. A broker that has just started may show less than
//! there is, so one look is no verdict.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::sleep;

use super::{Shared, lane::Served};
use crate::log::{Advice, LogError};

/// How often topics are looked at when nothing is wrong.
const AGAIN: Duration = Duration::from_secs(3600);
/// How often in turn the same must be found before it is believed, and after which pause.
const VERDICT: (u32, Duration) = (3, Duration::from_secs(2));
/// The shortest time between a look that found nothing wrong, or nothing at all, and the next.
const CALM: Duration = Duration::from_secs(10);

/// What the last look has shown.
#[derive(Clone, Copy)]
enum Shown {
    /// Nothing wrong.
    Fit,
    /// Something wrong, so often in turn.
    Unfit(u32),
    /// Nothing.
    Nothing,
}

/// Looks until the log or the service is gone, or not fit. Holds the log only while it looks.
pub(super) async fn watch(shared: Weak<Shared>, served: Weak<Served>) {
    let mut shown = Shown::Fit;
    loop {
        let Some(clock) = shared.upgrade().map(|shared| Arc::clone(&shared.clock)) else { return };
        let Some(of) = served.upgrade() else { return };
        match shown {
            Shown::Fit => tokio::select! {
                biased;
                () = of.doubted() => {}
                () = clock.pass(AGAIN) => {}
            },
            Shown::Unfit(_) => sleep(VERDICT.1).await,
            Shown::Nothing => sleep(CALM).await,
        }
        let service = &of.genesis.service;
        let Some(log) = shared.upgrade() else { return };
        let looked = log.look(service, Some(&of.genesis)).await;
        drop(log);
        shown = match (looked, shown) {
            (Ok(_), _) => {
                // What makes topics doubtful comes in swarms.
                sleep(CALM).await;
                Shown::Fit
            }
            (Err(e), Shown::Unfit(times)) if e.advice == Advice::Stop && times + 1 >= VERDICT.0 => {
                tracing::error!(%service, "not fit any more: {e}");
                return of.end(end(&e));
            }
            (Err(e), shown) if e.advice == Advice::Stop => {
                tracing::warn!(%service, "looked at again soon: {e}");
                Shown::Unfit(if let Shown::Unfit(times) = shown { times + 1 } else { 1 })
            }
            (Err(e), _) => {
                tracing::warn!(%service, "cannot be looked at: {e}");
                Shown::Nothing
            }
        };
    }
}

/// What everything is answered from then on.
fn end(why: &LogError) -> LogError {
    LogError::stop(format!("{why}; when that is mended, start this process again"))
}
