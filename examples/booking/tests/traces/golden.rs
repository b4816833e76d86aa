//! The trees of all stories, as files: the same on a node that is alone, on one that is reached through the log, and on two.

use std::{path::Path, time::Duration};

use palinode::trace::Span;

use crate::{
    stories::{STORIES, Story},
    world::World,
};

/// How services and callers are spread.
#[derive(Debug, Clone, Copy)]
enum Spread {
    Alone,
    Whole,
    Apart,
}

async fn told(story: &Story, spread: Spread) {
    let world = story.world();
    let member = |name| world.cluster.member(name);
    let nodes = match spread {
        Spread::Alone => vec![world.alone().await],
        Spread::Whole => vec![world.whole(member("whole")).await],
        Spread::Apart => {
            let stock = world.stock_node(member("stock")).await;
            vec![stock, world.trip_node(member("trips")).await]
        }
    };
    let client = match spread {
        Spread::Alone => World::inside(&nodes[0]),
        Spread::Whole | Spread::Apart => world.caller().await,
    };
    let trip = (story.tell)(client).await;
    for node in nodes {
        assert!(node.stop(Duration::from_secs(30)).await);
    }
    let told = world.told();
    told.check();
    assert_eq!(told.orphans(), Vec::<&Span>::new(), "{} {spread:?}", story.name);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/golden");
    told.of_saga(&trip.address().id).is_golden(&folder, story.name);
    assert_eq!(world.outside.charges(), story.charges, "{} {spread:?}", story.name);
}

#[tokio::test(start_paused = true)]
async fn every_trip_is_the_tree_of_its_file() {
    for story in &STORIES {
        for spread in [Spread::Alone, Spread::Whole, Spread::Apart] {
            told(story, spread).await;
        }
    }
}
