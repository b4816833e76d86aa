//! Waiting, while a node starts, for a database that was there a moment ago. Not for one that was never reached: that is a mistake
//! in what the node was told, and said at once.

use std::time::Duration;

use crate::{
    checkpoint::{ApplyError, Class},
    clock::Clock,
};

/// How long, and how long between two tries.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);

/// Tries again what fails because the database is away.
pub(super) async fn patiently<T, W>(
    clock: &dyn Clock,
    what: &str,
    mut work: impl FnMut() -> W,
) -> Result<T, ApplyError>
where
    W: Future<Output = Result<T, ApplyError>>,
{
    let begun = clock.now();
    loop {
        match work().await {
            Err(e) if e.class == Class::Outage && clock.now().since(begun) < PATIENCE => {
                tracing::warn!(error = %e, "{what}: the database is away, it is tried again");
                clock.pass(PAUSE).await;
            }
            done => return done,
        }
    }
}
