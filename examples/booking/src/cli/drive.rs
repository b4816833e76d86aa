//! Books many trips at a time and plays their guests. What a guest does with a trip under way is up to its plan:
//! confirm at once, cancel once everything is held, or never answer.

use std::sync::Arc;

use palinode::{Clock, SystemClock};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use super::{
    stop::Stop,
    tally::{Seen, Tally},
};
use crate::{
    domain::TripId,
    trips::{Guest, Plan},
    world::World,
};

/// Trips whose guests are pondering do not count as worked on; so many may there be at once for each that does.
const PONDERING: u32 = 16;

/// Books every plan until it is asked to stop, so many at a time, and counts how they end. `accepted` is told of each trip that will end whatever
/// happens, `seen` of each that has.
///
/// # Errors
/// The first trip that could not be booked to its end: the node stops, or does not take it.
pub(super) async fn drive(
    world: &Arc<World>,
    plans: impl Iterator<Item = anyhow::Result<Plan>>,
    concurrency: u32,
    accepted: fn(TripId),
    mut seen: impl FnMut(&Seen),
    stop: &Stop,
) -> anyhow::Result<Tally> {
    let working = Arc::new(Semaphore::new(usize::try_from(concurrency)?));
    let most = usize::try_from(concurrency.saturating_mul(PONDERING))?;
    let (mut tally, mut trips) = (Tally::new(), JoinSet::new());
    let mut count = |ended: Result<anyhow::Result<Seen>, _>| -> anyhow::Result<()> {
        let ended = ended??;
        tally.take(&ended);
        seen(&ended);
        Ok(())
    };
    for plan in plans {
        if stop.asked() {
            break;
        }
        let plan = plan?;
        while trips.len() >= most {
            trips.join_next().await.map_or(Ok(()), &mut count)?;
        }
        let permit = Arc::clone(&working).acquire_owned().await?;
        trips.spawn(book(Arc::clone(world), plan, accepted, permit, Arc::clone(&working)));
        while let Some(ended) = trips.try_join_next() {
            count(ended)?;
        }
    }
    while let Some(ended) = trips.join_next().await {
        count(ended)?;
    }
    Ok(tally)
}

async fn book(
    world: Arc<World>,
    Plan { trip, guest }: Plan,
    accepted: fn(TripId),
    working: OwnedSemaphorePermit,
    more: Arc<Semaphore>,
) -> anyhow::Result<Seen> {
    let id = trip.id;
    let began = SystemClock.now();
    let watch = (guest == Guest::Cancels).then(|| world.watch(id));
    world.start(&trip).await?;
    accepted(id);
    let ended = match watch {
        None if guest == Guest::Confirms => {
            world.confirm(id).await?;
            let ended = world.ended(id).await;
            drop(working);
            ended
        }
        None => {
            drop(working);
            world.ended(id).await
        }
        Some(watch) => {
            drop(working);
            tokio::select! {
                ended = world.ended(id) => ended,
                () = watch.waits() => {
                    let _working = more.acquire().await?;
                    world.cancel(id).await?;
                    world.ended(id).await
                }
            }
        }
    };
    let took = SystemClock.now().since(began);
    Ok(Seen { trip: id, ended: ended?, took, again: world.knew(id) })
}
