//! The running example: one node with its four services, the bank, the read models, and what a guest can do with them.
//! The only file that knows how a node is built and started.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use palinode::{
    Answer, Clock, Limits, Node, Service, SystemClock,
    projection::{ReadModel, ShardStatus, State},
};
use palinode_sagas::{End, Finished, SagaClient, SagaService, Sagas, client::Instance, event::Why};

use crate::{
    desk::{Desk, Watch},
    domain::{Car, Flight, RoomType, TripId},
    payment::{CapturePayment, IssueVoucher, VoucherDesk},
    place::Place,
    read,
    saga::{Confirmed, book_trip},
    trips::Trip,
};

/// How long a trip may take beside the wait for its guest.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long stopping in order may take.
pub(crate) const STOP: Duration = Duration::from_secs(20);

/// The services, running on the data of one folder, and their read models.
pub(crate) struct Services {
    /// The node they run on.
    pub(crate) node: Node,
    /// The trips.
    pub(crate) trips: Sagas<Trip>,
    /// How every trip stands.
    pub(crate) trips_model: ReadModel,
    /// Rooms taken.
    pub(crate) rooms_model: ReadModel,
    /// Seats taken.
    pub(crate) seats_model: ReadModel,
    /// Cars taken.
    pub(crate) cars_model: ReadModel,
}

/// The services with everything that plays the guests' part in one process.
pub(crate) struct World {
    node: Node,
    trips: Sagas<Trip>,
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

impl Services {
    /// Starts everything on the data of a place, whose folder is made when it is not there; trips wait `hold` for their
    /// guests, and commands for their shards within these limits.
    ///
    /// # Errors
    /// When the folder is in use or cannot be used; the error says by whom, and what to do.
    pub(crate) async fn start(place: &Place, hold: Duration, limits: Limits) -> anyhow::Result<Self> {
        let folder = place.folder();
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let saga = book_trip(hold);
        let bank = place.payments().context("payments.db cannot be opened")?;
        let trip = Service::new("trip")
            .saga(&saga)
            .perform::<CapturePayment>(bank)
            .perform::<IssueVoucher>(VoucherDesk);
        let node = Node::embedded(folder)
            .limits(limits)
            .service(trip)
            .service(Service::new("hotel").aggregate::<RoomType>())
            .service(Service::new("flight").aggregate::<Flight>())
            .service(Service::new("car").aggregate::<Car>())
            .start()
            .await?;
        let trips_model = seen(read::TRIPS.start(&node).await?)?;
        let rooms_model = seen(read::ROOMS.start(&node).await?)?;
        let seats_model = seen(read::SEATS.start(&node).await?)?;
        let cars_model = seen(read::CARS.start(&node).await?)?;
        let trips = node.client().sagas("trip", &saga);
        Ok(Self { node, trips, trips_model, rooms_model, seats_model, cars_model })
    }
}

impl World {
    /// Starts the services, opens the desk, and looks which trips are known.
    ///
    /// # Errors
    /// As [`Services::start`]; and when the read models cannot be read.
    pub(crate) async fn open(place: &Place, hold: Duration) -> anyhow::Result<Self> {
        let Services { node, trips, trips_model, .. } =
            Services::start(place, hold, Limits::default()).await?;
        caught_up(&trips_model).await;
        let known = read::known(&read::open(place.folder())?)?;
        let desk = Desk::open(place.folder())?;
        Ok(Self { node, trips, desk, known, patience: hold + PATIENCE })
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
        loop {
            match self.trips.start(trip.id.to_string(), trip.clone()).await {
                Answer::Accepted(_) => return Ok(()),
                Answer::Overloaded => pause().await,
                other => bail!("trip {} was not accepted: {other:?}", trip.id),
            }
        }
    }

    /// The guest confirms. To a trip that is past waiting, or taken back, it says nothing.
    ///
    /// # Errors
    /// When it cannot be delivered.
    pub(crate) async fn confirm(&self, trip: TripId) -> anyhow::Result<()> {
        let guest = self.trips.at(trip.to_string());
        loop {
            match guest.signal_once("guest", Confirmed {}).await {
                Answer::Accepted(_) | Answer::Rejected(_) => return Ok(()),
                Answer::Overloaded => pause().await,
                other => bail!("the guest of trip {trip} was not heard: {other:?}"),
            }
        }
    }

    /// The guest cancels. A trip that has ended, or is past its payment, stays as it is.
    ///
    /// # Errors
    /// When it cannot be delivered.
    pub(crate) async fn cancel(&self, trip: TripId) -> anyhow::Result<()> {
        let guest = self.trips.at(trip.to_string());
        loop {
            match guest.cancel("guest", "the guest cancelled").await {
                Answer::Accepted(_) | Answer::Rejected(_) => return Ok(()),
                Answer::Overloaded => pause().await,
                other => bail!("the guest of trip {trip} was not heard: {other:?}"),
            }
        }
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
        let trip = self.trips.at(trip.to_string());
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
        self.trips.at(trip.to_string())
    }

    /// The node everything runs on.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// Commits to the logs of all services since the start.
    pub(crate) fn commits(&self) -> u64 {
        self.node.counts().commits()
    }

    /// Stops in order, unless somebody still books: then it is dropped, which loses nothing.
    pub(crate) async fn close(world: Arc<Self>) {
        if let Some(Self { node, desk, .. }) = Arc::into_inner(world) {
            drop(desk);
            node.stop(STOP).await;
        }
    }
}

/// The version that readers see; others go on beside it, until the node stops.
///
/// # Errors
/// When there is none.
pub(crate) fn seen(versions: Vec<ReadModel>) -> anyhow::Result<ReadModel> {
    versions.into_iter().next().context("a read model has no version")
}

/// Waits until every shard of a read model has met the end of the log, or stands still.
pub(crate) async fn caught_up(model: &ReadModel) {
    let behind = |status: &ShardStatus| matches!(status.state, State::Starting | State::CatchingUp);
    for shard in model.status() {
        model.wait_until(shard.shard, |status| !behind(status)).await;
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

/// Too much is waiting: ask again a little later.
async fn pause() {
    SystemClock.wait_until(SystemClock.now().plus(Duration::from_millis(1))).await;
}
