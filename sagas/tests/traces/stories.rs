//! Everything that happens to trips in these tests, told once: what is prepared, and what a caller does.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use palinode::{Client, testing::Recorder};
use palinode_sagas::{End, client::Instance};

use crate::world::{Confirmed, Trip, World, book, end, inside, patient, start, taken};

/// A story of one trip.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    /// Also the name of the file with its tree.
    pub(crate) name: &'static str,
    /// What is so before it begins.
    pub(crate) prepare: fn(&World),
    /// After how long a trace is cut.
    pub(crate) segment_after: Option<Duration>,
    /// Everything that the caller does, until the trip has ended.
    pub(crate) tell: fn(Client) -> LocalBoxFuture<'static, Instance<Trip>>,
}

/// All of them.
pub(crate) const STORIES: [Story; 12] = [
    story("inside", |client| inside_only(client).boxed_local()),
    story("completed", |client| booked(client).boxed_local()),
    story("compensated", |client| refused(client).boxed_local()),
    Story { prepare: busy, ..story("retried", |client| booked(client).boxed_local()) },
    story("waited", |client| confirmed(client).boxed_local()),
    story("early", |client| confirmed_early(client).boxed_local()),
    story("timed-out", |client| silent(client).boxed_local()),
    story("cancelled", |client| cancelled(client).boxed_local()),
    Story { prepare: broken, ..story("operator", |client| tried_again(client).boxed_local()) },
    story("killed", |client| killed(client).boxed_local()),
    Story { segment_after: CUT, ..story("cut", |client| confirmed(client).boxed_local()) },
    Story { segment_after: CUT, ..story("cut-cancelled", |client| cancelled_late(client).boxed_local()) },
];

/// Shorter than the time to think.
const CUT: Option<Duration> = Some(Duration::from_secs(20));

const fn story(name: &'static str, tell: fn(Client) -> LocalBoxFuture<'static, Instance<Trip>>) -> Story {
    Story { name, prepare: nothing, segment_after: None, tell }
}

impl Story {
    /// The world in which it happens.
    pub(crate) fn world(&self) -> World {
        let world =
            World::observed_by(self.segment_after.map_or_else(Recorder::default, Recorder::cutting_after));
        (self.prepare)(&world);
        world
    }
}

fn nothing(_: &World) {}

/// The bank is busy twice.
fn busy(world: &World) {
    world.outside.busy.store(2, Ordering::SeqCst);
}

/// A voucher cannot be printed.
fn broken(world: &World) {
    world.outside.broken.store(1, Ordering::SeqCst);
}

async fn ends(trip: Instance<Trip>, how: End) -> Instance<Trip> {
    assert_eq!(end(&trip).await.outcome, how);
    trip
}

async fn inside_only(client: Client) -> Instance<Trip> {
    ends(start(&client, &inside(), "t1", "12A").await, End::Completed).await
}

async fn booked(client: Client) -> Instance<Trip> {
    ends(start(&client, &book(), "t1", "12A").await, End::Completed).await
}

async fn refused(client: Client) -> Instance<Trip> {
    ends(start(&client, &book(), "t1", "full").await, End::Compensated).await
}

async fn confirmed(client: Client) -> Instance<Trip> {
    let trip = start(&client, &patient(), "t1", "12A").await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    taken(async || trip.signal_once("word", Confirmed {}).await).await;
    ends(trip, End::Completed).await
}

async fn confirmed_early(client: Client) -> Instance<Trip> {
    let trip = start(&client, &patient(), "t1", "12A").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    taken(async || trip.signal_once("word", Confirmed {}).await).await;
    ends(trip, End::Completed).await
}

async fn silent(client: Client) -> Instance<Trip> {
    ends(start(&client, &patient(), "t1", "12A").await, End::Completed).await
}

async fn cancelled(client: Client) -> Instance<Trip> {
    let trip = start(&client, &patient(), "t1", "12A").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    taken(async || trip.cancel("ann", "they stay at home").await).await;
    ends(trip, End::Compensated).await
}

async fn cancelled_late(client: Client) -> Instance<Trip> {
    let trip = start(&client, &patient(), "t1", "12A").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    taken(async || trip.cancel("ann", "they stay at home").await).await;
    ends(trip, End::Compensated).await
}

async fn tried_again(client: Client) -> Instance<Trip> {
    let trip = start(&client, &book(), "t1", "12A").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    taken(async || trip.retry("voucher", "ann", "the printer works again").await).await;
    ends(trip, End::Completed).await
}

async fn killed(client: Client) -> Instance<Trip> {
    let trip = start(&client, &patient(), "t1", "12A").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    taken(async || trip.kill("ann", "a test").await).await;
    ends(trip, End::Killed).await
}
