//! Looks at the topics of a service again: every hour, and soon after something made them doubtful. One that is not fit
//! any more, at several looks in a row, refuses everything from then on. A broker that has just started may show less than
//! there is, so one look is no verdict.

use std::{sync::Weak, time::Duration};

use tokio::time::sleep;

use super::{Shared, lane::Served};
use crate::log::{Advice, LogError};

/// How often topics are looked at when nothing is wrong.
const AGAIN: Duration = Duration::from_secs(3600);
/// How often in turn the same must be found before it is believed, and after which pause.
const VERDICT: (u32, Duration) = (3, Duration::from_secs(2));

/// The shortest time between two looks that found nothing wrong.
const CALM: Duration = Duration::from_secs(10);

/// Looks until the log or the service is gone, or not fit.
pub(super) async fn watch(shared: Weak<Shared>, served: Weak<Served>) {
    let mut found: u32 = 0;
    loop {
        {
            let (Some(shared), Some(served)) = (shared.upgrade(), served.upgrade()) else { return };
            let clock = std::sync::Arc::clone(&shared.clock);
            drop(shared);
            if found > 0 {
                sleep(VERDICT.1).await;
            } else {
                tokio::select! {
                    biased;
                    () = served.doubted() => {}
                    () = clock.pass(AGAIN) => {}
                }
            }
        }
        let (Some(shared), Some(served)) = (shared.upgrade(), served.upgrade()) else { return };
        let service = &served.genesis.service;
        match shared.look(service, Some(&served.genesis)).await {
            // What makes topics doubtful comes in swarms.
            Ok(_) => {
                found = 0;
                sleep(CALM).await;
            }
            Err(e) if e.advice == Advice::Stop => {
                found = found.saturating_add(1);
                if found >= VERDICT.0 {
                    tracing::error!(%service, "not fit any more: {e}");
                    return served.end(end(&e));
                }
                tracing::warn!(%service, "looked at again soon: {e}");
            }
            Err(e) => {
                found = 0;
                tracing::warn!(%service, "cannot be looked at: {e}");
            }
        }
    }
}

/// What everything is answered from then on.
fn end(why: &LogError) -> LogError {
    LogError::stop(format!("{why}; when that is mended, start this process again"))
}
