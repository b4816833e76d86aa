//! The trees of the sagas of `world.rs`, as files: on one node, and on two with the log between them.

use std::{path::Path, time::Duration};

use palinode::{Answer, Client};
use palinode_sagas::{End, client::Instance};

use crate::world::{Confirmed, Trip, World, book, end, patient, start};

/// Compares with the file of this name; `UPDATE_GOLDEN=1` writes one that is missing.
pub(crate) fn golden(name: &str, tree: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/traces/golden/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, tree).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(tree == expected, "{} differs:\n{tree}\ninstead of\n{expected}", path.display());
}

/// Lets a story happen on one node and on two, and compares what is seen of it.
async fn told(name: &str, prepare: impl Fn(&World), story: impl AsyncFn(&Client) -> Instance<Trip>) {
    for apart in [false, true] {
        let world = World::new();
        prepare(&world);
        let nodes = if apart {
            let stays = world.stay_node("stays").await;
            vec![stays, world.trip_node("trips").await]
        } else {
            vec![world.whole(world.cluster.member("whole")).await]
        };
        let trip = story(&world.client().await).await;
        for node in nodes {
            assert!(node.stop(Duration::from_secs(30)).await);
        }
        let told = world.recorder.forest();
        told.check();
        assert_eq!(told.orphans(), Vec::<&palinode::trace::Span>::new());
        golden(name, &told.of(told.trace_of(&trip.address().id)).tree());
    }
}

#[tokio::test(start_paused = true)]
async fn a_trip_that_is_booked() {
    told(
        "completed",
        |_| {},
        async |client| {
            let trip = start(client, &book(), "t1", "12A").await;
            assert_eq!(end(&trip).await.outcome, End::Completed);
            trip
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_trip_that_is_refused_and_taken_back() {
    told(
        "compensated",
        |_| {},
        async |client| {
            let trip = start(client, &book(), "t1", "full").await;
            assert_eq!(end(&trip).await.outcome, End::Compensated);
            trip
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_tried_again() {
    let busy = |world: &World| world.outside.busy.store(2, std::sync::atomic::Ordering::SeqCst);
    told("retried", busy, async |client| {
        let trip = start(client, &book(), "t1", "12A").await;
        assert_eq!(end(&trip).await.outcome, End::Completed);
        trip
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_trip_that_waits_for_time_and_for_a_word() {
    told(
        "waited",
        |_| {},
        async |client| {
            let trip = start(client, &patient(), "t1", "12A").await;
            tokio::time::sleep(Duration::from_secs(40)).await;
            assert!(matches!(trip.signal(Confirmed {}).await, Answer::Accepted(_)));
            assert_eq!(end(&trip).await.outcome, End::Completed);
            trip
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_without_a_word() {
    told(
        "timed-out",
        |_| {},
        async |client| {
            let trip = start(client, &patient(), "t1", "12A").await;
            assert_eq!(end(&trip).await.outcome, End::Completed);
            trip
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_trip_that_is_cancelled() {
    told(
        "cancelled",
        |_| {},
        async |client| {
            let trip = start(client, &patient(), "t1", "12A").await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert!(matches!(trip.cancel("ann", "they stay at home").await, Answer::Accepted(_)));
            assert_eq!(end(&trip).await.outcome, End::Compensated);
            trip
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_a_person_tries_again() {
    let broken = |world: &World| world.outside.broken.store(1, std::sync::atomic::Ordering::SeqCst);
    told("operator", broken, async |client| {
        let trip = start(client, &book(), "t1", "12A").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(matches!(trip.retry("voucher", "ann", "the printer works again").await, Answer::Accepted(_)));
        assert_eq!(end(&trip).await.outcome, End::Completed);
        trip
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_trip_that_is_killed() {
    told(
        "killed",
        |_| {},
        async |client| {
            let trip = start(client, &patient(), "t1", "12A").await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert!(matches!(trip.kill("ann", "a test").await, Answer::Accepted(_)));
            assert_eq!(end(&trip).await.outcome, End::Killed);
            trip
        },
    )
    .await;
}
