//! Where a trace begins and ends: the caller's span, a participant outside, a node that nobody observes, a trace that is
//! not kept.

use std::time::Duration;

use palinode::{
    testing::Recorder,
    trace::{SpanContext, TraceId},
};
use palinode_sagas::End;

use crate::world::{World, book, end, inside, start};

fn told_outside(world: &World) -> Vec<SpanContext> {
    let told = world.outside.told.lock().unwrap();
    told.iter().map(|told| SpanContext::read(told.as_ref()).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_participant_outside_hangs_below_its_attempt() {
    let world = World::new();
    world.outside.busy.store(1, std::sync::atomic::Ordering::SeqCst);
    let node = world.whole(world.cluster.member("whole")).await;
    end(&start(&world.client().await, &book(), "t1", "12A").await).await;
    assert!(node.stop(Duration::from_secs(30)).await);
    let told = world.told();
    let runs: Vec<_> = told.named("activity pay").iter().map(|span| span.context).collect();
    assert_eq!(runs.len(), 2);
    assert_eq!(told_outside(&world), runs);
}

#[tokio::test(start_paused = true)]
async fn a_trip_hangs_on_the_span_of_whoever_asked_for_it() {
    let request: SpanContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let world = World::observed_by(Recorder::inside(request));
    let node = world.whole(world.cluster.member("whole")).await;
    end(&start(&world.client().await, &inside(), "t1", "12A").await).await;
    assert!(node.stop(Duration::from_secs(30)).await);
    let told = world.told();
    let call = told.named("execute inside-trip")[0].clone();
    assert_eq!((call.parent, call.context.trace), (Some(request), request.trace));
    let root = told.named("saga start inside-trip")[0].clone();
    assert_eq!((root.parent, root.links), (None, vec![call.context]));
    let handled = told.of(request.trace).named("process trip.inbox")[0].clone();
    assert_eq!(handled.parent, Some(call.context));
    assert_eq!(&*told.all().iter().find(|(_, span)| span.name == call.name).unwrap().0, "desk");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_nobody_observes_passes_on_what_it_was_told() {
    let world = World::new();
    let stays = world.unseen_stay_node().await;
    let trips = world.trip_node(world.cluster.member("trips")).await;
    end(&start(&world.client().await, &inside(), "t1", "12A").await).await;
    for node in [stays, trips] {
        assert!(node.stop(Duration::from_secs(30)).await);
    }
    let told = world.told();
    told.check();
    let tree = told.of_saga("t1");
    assert_eq!(tree.orphans(), Vec::<&palinode::trace::Span>::new());
    for handled in tree.named("process trip.inbox") {
        let sent = tree.all().iter().find(|(_, span)| Some(span.context) == handled.parent).unwrap();
        assert!(sent.1.name.starts_with("send "), "{sent:?}");
    }
    assert_eq!(tree.named("process trip.inbox").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_at_the_start_holds_for_ever() {
    // Given a trip that began when no new trace was to be kept
    let mut world = World::observed_by(Recorder::with_ratio(0.0));
    world.outside.busy.store(3, std::sync::atomic::Ordering::SeqCst);
    let node = world.whole(world.cluster.member("whole")).await;
    let client = world.client().await;
    let trip = start(&client, &book(), "t1", "12A").await;
    // When its node dies and another one keeps them all
    node.crash().await;
    assert!(world.told().all().is_empty());
    world.recorder = Recorder::with_ratio(1.0).into();
    let node = world.whole(world.cluster.member("whole")).await;
    assert_eq!(end(&trip).await.outcome, End::Completed);
    // Then nothing is told of it, and those outside are told not to keep it either
    let later = start(&world.client().await, &inside(), "t2", "12A").await;
    end(&later).await;
    assert!(node.stop(Duration::from_secs(30)).await);
    let told = world.told();
    let of = |id: &str| {
        let address =
            palinode::Address::new("trip", if id == "t1" { "book-trip" } else { "inside-trip" }, id);
        TraceId::of_entity(world.log_id(), &address)
    };
    assert!(told.of(of("t1")).all().is_empty());
    assert!(!told.of(of("t2")).all().is_empty());
    let outside = told_outside(&world);
    assert!(outside.iter().all(|told| !told.sampled && told.trace == of("t1")), "{outside:?}");
    assert!(outside.len() >= 3);
}
