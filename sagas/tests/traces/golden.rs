//! The trees of all stories, as files: on one node, and on two with the log between them.

use std::{path::Path, time::Duration};

use palinode::trace::Span;

use crate::stories::{STORIES, Story};

/// Lets a story happen on one node and on two, and compares what is seen of it.
async fn told(story: &Story) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/golden");
    for apart in [false, true] {
        let world = story.world();
        let nodes = if apart {
            let stays = world.stay_node(world.cluster.member("stays")).await;
            vec![stays, world.trip_node(world.cluster.member("trips")).await]
        } else {
            vec![world.whole(world.cluster.member("whole")).await]
        };
        let trip = (story.tell)(world.client().await).await;
        for node in nodes {
            assert!(node.stop(Duration::from_secs(30)).await);
        }
        let told = world.told();
        told.check();
        assert_eq!(told.orphans(), Vec::<&Span>::new(), "{}", story.name);
        told.of_saga(&trip.address().id).is_golden(&folder, story.name);
    }
}

#[tokio::test(start_paused = true)]
async fn every_story_is_the_tree_of_its_file() {
    for story in &STORIES {
        told(story).await;
    }
}
