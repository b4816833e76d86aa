//! Every way in which a trip ends, told once: which trip it is, what is so outside before it begins, what a caller does.

use std::{sync::atomic::Ordering, time::Duration};

use booking::{
    domain::{Cents, Day, RoomCommand, RoomType, TripId},
    saga::Confirmed,
    trips::{
        Trip,
        rules::{car_is_refused, payment_is_declined, seats_are_refused},
    },
};
use futures_util::{FutureExt as _, future::LocalBoxFuture};
use palinode::{Aggregate as _, Client, testing::Recorder};
use palinode_sagas::{End, SagaClient as _, client::Instance};

use crate::world::{World, saga, taken};

/// A story of one trip.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    /// Also the name of the file with its tree.
    pub(crate) name: &'static str,
    /// What is so outside before it begins.
    prepare: fn(&World),
    /// After how long a trace is cut.
    segment_after: Option<Duration>,
    /// Everything that callers do, until the trip has ended.
    pub(crate) tell: fn(Client) -> LocalBoxFuture<'static, Instance<Trip>>,
    /// How often money is taken.
    pub(crate) charges: usize,
}

/// All of them.
pub(crate) const STORIES: [Story; 15] = [
    paid("completed", |client| confirmed(client, by_car()).boxed_local()),
    paid("completed-without-a-car", |client| confirmed(client, by_train()).boxed_local()),
    unpaid("fully-booked", |client| fully_booked(client).boxed_local()),
    unpaid("no-seat", |client| refused(client, without_a_seat()).boxed_local()),
    unpaid("no-car", |client| refused(client, without_a_car()).boxed_local()),
    unpaid("declined", |client| declined(client).boxed_local()),
    unpaid("expired", |client| refused(client, by_car()).boxed_local()),
    unpaid("cancelled", |client| cancelled(client).boxed_local()),
    Story { prepare: slow, ..paid("cancelled-too-late", |client| too_late(client).boxed_local()) },
    unpaid("killed", |client| killed(client).boxed_local()),
    paid("paused", |client| paused(client).boxed_local()),
    Story {
        prepare: mute_once,
        ..paid("unknown-then-found", |client| confirmed(client, by_car()).boxed_local())
    },
    Story { prepare: jammed, ..paid("no-voucher", |client| left_out(client).boxed_local()) },
    Story { segment_after: CUT, ..paid("cut", |client| confirmed(client, by_car()).boxed_local()) },
    Story { segment_after: CUT, ..unpaid("cut-and-declined", |client| declined(client).boxed_local()) },
];

/// Shorter than guests think.
const CUT: Option<Duration> = Some(Duration::from_secs(4));
/// How long guests think.
const THINKS: Duration = Duration::from_secs(6);

type Tell = fn(Client) -> LocalBoxFuture<'static, Instance<Trip>>;

const fn paid(name: &'static str, tell: Tell) -> Story {
    Story { name, prepare: |_| {}, segment_after: None, tell, charges: 1 }
}

const fn unpaid(name: &'static str, tell: Tell) -> Story {
    Story { charges: 0, ..paid(name, tell) }
}

fn slow(world: &World) {
    world.outside.takes.store(4_000, Ordering::SeqCst);
}

fn mute_once(world: &World) {
    world.outside.mute.store(1, Ordering::SeqCst);
}

fn jammed(world: &World) {
    world.outside.jammed.store(1, Ordering::SeqCst);
}

impl Story {
    /// The world in which it happens.
    pub(crate) fn world(&self) -> World {
        let world = World::new(self.segment_after.map_or_else(Recorder::default, Recorder::cutting_after));
        (self.prepare)(&world);
        world
    }
}

/// A trip to the Algarve, of the first guest with whom exactly this goes wrong.
fn trip(wrong: [bool; 3], car: bool) -> Trip {
    let first = Day::of(2030, 1, 8).unwrap();
    let id = (0..10_000).map(TripId).find(|id| luck(*id) == wrong).unwrap();
    Trip {
        id,
        room: "resort/D".into(),
        first,
        nights: 2,
        rate: Cents(14_900),
        flight: "PRT-FAO/2030-01-08".into(),
        seats: 3,
        car: car.then(|| "FAO/2030-01-08".into()),
        room_price: Cents(0),
        seat_price: Cents(0),
        car_price: Cents(0),
        payment: None,
    }
}

/// Whether seats, car and payment are refused.
fn luck(id: TripId) -> [bool; 3] {
    [seats_are_refused(id), car_is_refused(id), payment_is_declined(id)]
}

fn by_car() -> Trip {
    trip([false; 3], true)
}

fn by_train() -> Trip {
    trip([false; 3], false)
}

fn without_a_seat() -> Trip {
    trip([true, false, false], true)
}

fn without_a_car() -> Trip {
    trip([false, true, false], true)
}

fn without_money() -> Trip {
    trip([false, false, true], true)
}

async fn start(client: &Client, trip: Trip) -> Instance<Trip> {
    let (sagas, id) = (client.sagas("trip", &saga()), trip.id.to_string());
    let started = taken(async || sagas.start(id.as_str(), trip.clone()).await).await;
    started.unwrap_or_else(|| sagas.at(id.as_str()))
}

/// Waits for its end, and until whatever follows from it is told.
async fn ends(trip: Instance<Trip>, how: End) -> Instance<Trip> {
    let end = trip.finished().await.unwrap().unwrap();
    assert_eq!(end.outcome, how);
    tokio::time::sleep(Duration::from_secs(1)).await;
    trip
}

async fn confirms(trip: &Instance<Trip>) {
    tokio::time::sleep(THINKS).await;
    taken(async || trip.signal_once("guest", Confirmed {}).await).await;
}

async fn confirmed(client: Client, trip: Trip) -> Instance<Trip> {
    let trip = start(&client, trip).await;
    confirms(&trip).await;
    ends(trip, End::Completed).await
}

/// Nobody does anything more.
async fn refused(client: Client, trip: Trip) -> Instance<Trip> {
    ends(start(&client, trip).await, End::Compensated).await
}

/// The others have taken the two rooms of their type.
async fn fully_booked(client: Client) -> Instance<Trip> {
    let last = Trip { room: "city/C".into(), ..by_car() };
    let Trip { first, nights, rate, .. } = last;
    for other in [1_000_001, 1_000_002].map(TripId) {
        let hold = || RoomCommand::Hold { trip: other, first, nights, rate };
        taken(async || client.execute(RoomType::at(last.room.clone()).ask(hold())).await).await;
    }
    refused(client, last).await
}

async fn declined(client: Client) -> Instance<Trip> {
    let trip = start(&client, without_money()).await;
    confirms(&trip).await;
    ends(trip, End::Compensated).await
}

async fn cancelled(client: Client) -> Instance<Trip> {
    let trip = start(&client, by_car()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    taken(async || trip.cancel("ann", "they stay at home").await).await;
    ends(trip, End::Compensated).await
}

/// The bank is asked already.
async fn too_late(client: Client) -> Instance<Trip> {
    let trip = start(&client, by_car()).await;
    confirms(&trip).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    taken(async || trip.cancel("ann", "they stay at home").await).await;
    ends(trip, End::Completed).await
}

async fn killed(client: Client) -> Instance<Trip> {
    let trip = start(&client, by_car()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    taken(async || trip.kill("ann", "a test").await).await;
    ends(trip, End::Killed).await
}

/// The guest's word comes in the pause.
async fn paused(client: Client) -> Instance<Trip> {
    let trip = start(&client, by_car()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    taken(async || trip.pause("ann", "the bank is closed").await).await;
    confirms(&trip).await;
    taken(async || trip.resume("ann", "it has opened").await).await;
    ends(trip, End::Completed).await
}

async fn left_out(client: Client) -> Instance<Trip> {
    let trip = start(&client, by_car()).await;
    confirms(&trip).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    taken(async || trip.skip("issue-voucher", "ann", "they have one").await).await;
    ends(trip, End::Completed).await
}
