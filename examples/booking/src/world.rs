//! The running example as guests meet it: what they can do with a trip, whoever runs the services.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use palinode::{Answer, Clock, Limits, Micros, SystemClock};
use palinode_sagas::{End, Finished, client::Instance, event::Why};

use crate::{
    desk::{Desk, Watch},
    domain::TripId,
    place::Place,
    read,
    saga::Confirmed,
    services::Services,
    trips::Trip,
};

/// How long a trip may take beside the wait for its guest.
const PATIENCE: Duration = Duration::from_secs(120);
/// When too much is waiting: how long until it is asked again.
const PAUSE: Duration = Duration::from_millis(1);
/// The services with everything that plays the guests' part in one process.
pub(crate) struct World {
    services: Services,
    desk: Desk,
    known: BTreeSet<TripId>,
    /// How long a trip may take before it counts as stuck.
    patience: Duration,
}

/// How a trip ended, as its client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Booked.
    Completed,
    /// Refused at this step, and taken back.
    Compensated(Arc<str>),
    /// Cancelled by the guest, and taken back.
    Cancelled,
    /// Never answered, and taken back.
    Expired,
    /// Stopped by a person.
    Killed,
}

/// Somebody who asks again: a little later when too much waits, and at once when the outcome is unknown, because what
/// a guest says counts once.
struct Insists {
    until: Micros,
}

impl Insists {
    /// The answer, unless it is to be asked again.
    async fn hear<R, E>(&self, answer: Answer<R, E>) -> Option<Answer<R, E>> {
        match answer {
            Answer::Overloaded => SystemClock.wait_until(SystemClock.now().plus(PAUSE)).await,
            Answer::Unknown { .. } if SystemClock.now() < self.until => {}
            answer => return Some(answer),
        }
        None
    }
}

impl World {
    /// Starts the services, or finds them, opens the desk, and looks which trips are known.
    ///
    /// # Errors
    /// As [`Services::start`]; and when the read models cannot be read, or are not there in time.
    pub(crate) async fn open(place: &Place, hold: Duration) -> anyhow::Result<Self> {
        let services = Services::start(place, hold, Limits::default()).await?;
        tokio::select! {
            biased;
            () = services.trips_model.caught_up() => {}
            () = SystemClock.wait_until(SystemClock.now().plus(PATIENCE)) => {
                bail!(services.trips_model.trouble().await.unwrap_or_else(|| "the read models are behind".into()))
            }
        }
        let desk = Desk::open(place, services.tables()).await?;
        let known = read::known(services.tables()).await?;
        Ok(Self { services, desk, known, patience: hold + PATIENCE })
    }

    /// Whether the trip was there before this run.
    pub(crate) fn knew(&self, trip: TripId) -> bool {
        self.known.contains(&trip)
    }

    /// Starts booking a trip, or finds it started.
    ///
    /// # Errors
    /// When it was not accepted; it may have been if the outcome is unknown, and starting it again finds out.
    pub(crate) async fn start(&self, trip: &Trip) -> anyhow::Result<()> {
        let insists = self.insists();
        loop {
            let answer = self.services.trips.start(trip.id.to_string(), trip.clone()).await;
            match insists.hear(answer).await {
                None => {}
                Some(Answer::Accepted(_)) => return Ok(()),
                Some(other) => bail!("trip {} was not accepted: {other:?}", trip.id),
            }
        }
    }

    /// The guest confirms. To a trip that is past waiting, or taken back, it says nothing.
    ///
    /// # Errors
    /// When it cannot be delivered.
    pub(crate) async fn confirm(&self, trip: TripId) -> anyhow::Result<()> {
        let (guest, insists) = (self.saga(trip), self.insists());
        loop {
            match insists.hear(guest.signal_once("guest", Confirmed {}).await).await {
                None => {}
                Some(Answer::Accepted(_) | Answer::Rejected(_)) => return Ok(()),
                Some(other) => bail!("the guest of trip {trip} was not heard: {other:?}"),
            }
        }
    }

    /// The guest cancels. A trip that has ended, or is past its payment, stays as it is.
    ///
    /// # Errors
    /// When it cannot be delivered.
    pub(crate) async fn cancel(&self, trip: TripId) -> anyhow::Result<()> {
        let (guest, insists) = (self.saga(trip), self.insists());
        loop {
            match insists.hear(guest.cancel("guest", "the guest cancelled").await).await {
                None => {}
                Some(Answer::Accepted(_) | Answer::Rejected(_)) => return Ok(()),
                Some(other) => bail!("the guest of trip {trip} was not heard: {other:?}"),
            }
        }
    }

    fn insists(&self) -> Insists {
        Insists { until: SystemClock.now().plus(self.patience) }
    }

    /// Takes a place at the desk for the guest of a trip that is about to be started.
    pub(crate) fn watch(&self, trip: TripId) -> Watch {
        self.desk.watch(trip)
    }

    /// How the trip ended, once it has; none when it has not within the time that everything may take.
    ///
    /// # Errors
    /// When the node stops first.
    pub(crate) async fn ended(&self, trip: TripId) -> anyhow::Result<Option<Ended>> {
        let trip = self.services.trips.at(trip.to_string());
        tokio::select! {
            end = trip.finished() => {
                let end = end.context("the node stopped before the trip ended")?;
                Ok(Some(ended(&end.context("what the trip ended with")?)))
            }
            () = SystemClock.wait_until(SystemClock.now().plus(self.patience)) => Ok(None),
        }
    }

    /// The saga of a trip.
    pub(crate) fn saga(&self, trip: TripId) -> Instance<Trip> {
        self.services.trips.at(trip.to_string())
    }

    /// The services.
    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    /// Commits to the logs of all services since the start; none when others make them.
    pub(crate) fn commits(&self) -> Option<u64> {
        self.services.node().map(|node| node.counts().commits())
    }

    /// Stops in order, unless somebody still books: then it is dropped, which loses nothing.
    pub(crate) async fn close(world: Arc<Self>) {
        if let Some(Self { services, desk, .. }) = Arc::into_inner(world) {
            drop(desk);
            services.stop().await;
        }
    }
}

fn ended(end: &Finished<Trip>) -> Ended {
    match (end.outcome, &end.why) {
        (End::Completed, _) => Ended::Completed,
        (End::Killed, _) => Ended::Killed,
        (End::Compensated, Some(Why::Cancelled { .. })) => Ended::Cancelled,
        (End::Compensated, Some(Why::TimedOut { .. })) => Ended::Expired,
        (End::Compensated, Some(Why::Refused { node, .. } | Why::Unknown { node, .. })) => {
            Ended::Compensated(Arc::clone(node))
        }
        (End::Compensated, _) => Ended::Compensated("deadline".into()),
    }
}
