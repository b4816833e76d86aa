//! A node that dies after each of its appends has landed, and before it knows: what is seen of a trip is the same tree, but for
//! what ended with the commits that nobody knew to be effective. Nothing is told by recovery, nothing twice, and no money is
//! taken twice.

use std::{sync::Arc, time::Duration};

use palinode::testing::Deaf;
use palinode_sagas::testing::{Told, survives_each, with_a_death};

use crate::stories::{STORIES, Story};

/// What is seen of a story in which a node dies at its `nth` append: the only one, or that of the trips.
async fn told(story: &Story, apart: bool, nth: usize) -> Told {
    let world = story.world();
    let member = |name| world.cluster.member(name);
    let deaf = Deaf::from_append(member("mortal"), nth);
    let log = Arc::new(deaf.clone());
    let stock = if apart { Some(world.stock_node(member("stock")).await) } else { None };
    let mortal = if apart { world.trip_node(log).await } else { world.whole(log).await };
    let again = async || {
        let log = member("mortal");
        vec![if apart { world.trip_node(log).await } else { world.whole(log).await }]
    };
    let tells = (story.tell)(world.caller().await);
    let (trip, died, again) = with_a_death(tells, (mortal, &deaf), again).await;
    for node in stock.into_iter().chain(again) {
        assert!(node.stop(Duration::from_secs(30)).await);
    }
    assert_eq!(world.outside.charges(), story.charges, "{}: death at append {nth}", story.name);
    Told { died, forest: world.told().of_saga(&trip.address().id), unheard: deaf.unheard() }
}

async fn survives(apart: bool) {
    for story in &STORIES {
        let deaths = survives_each(story.name, async |nth| told(story, apart, nth).await).await;
        assert!(deaths >= 2, "{}: {deaths} deaths", story.name);
    }
}

#[tokio::test(start_paused = true)]
async fn the_tree_is_the_same_when_the_only_node_dies() {
    survives(false).await;
}

#[tokio::test(start_paused = true)]
async fn the_tree_is_the_same_when_the_node_of_the_trips_dies() {
    survives(true).await;
}
