//! A node that dies after each of its appends has landed, and before it knows: what is seen afterwards is the same tree,
//! but for what ended with the commits that nobody knew to be effective. Nothing is told by recovery, and nothing twice.
//! So for every story, alone and with a second node, which goes on meanwhile or takes over.

use std::{sync::Arc, time::Duration};

use palinode::testing::Deaf;
use palinode_sagas::testing::{Told, survives_each, with_a_death};

use crate::stories::{STORIES, Story};

/// Which node dies, and who else is there.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// The only one, which is started again.
    OfTheOnlyNode,
    /// That of the trips, while the one of rooms and seats goes on.
    OfTheTrips,
    /// That of rooms and seats, while the one of the trips goes on.
    OfTheStays,
    /// One of two that can do everything: the other one takes over.
    WithAnHeir,
}

/// What is seen of a story in which a node dies at its `nth` append.
async fn told(story: &Story, death: Death, nth: usize) -> Told {
    let world = story.world();
    let member = |name| world.cluster.member(name);
    let deaf = Deaf::from_append(member("mortal"), nth);
    let log = Arc::new(deaf.clone());
    let (mortal, other) = match death {
        Death::OfTheOnlyNode => (world.whole(log).await, None),
        Death::OfTheTrips => {
            let stays = world.stay_node(member("stays")).await;
            (world.trip_node(log).await, Some(stays))
        }
        Death::OfTheStays => {
            let stays = world.stay_node(log).await;
            (stays, Some(world.trip_node(member("trips")).await))
        }
        Death::WithAnHeir => {
            let mortal = world.whole(log).await;
            (mortal, Some(world.whole(member("heir")).await))
        }
    };
    let again = async || match death {
        Death::OfTheOnlyNode => vec![world.whole(member("mortal")).await],
        Death::OfTheTrips => vec![world.trip_node(member("mortal")).await],
        Death::OfTheStays => vec![world.stay_node(member("mortal")).await],
        Death::WithAnHeir => Vec::new(),
    };
    let story = (story.tell)(world.client().await);
    let (trip, died, again) = with_a_death(story, (mortal, &deaf), again).await;
    for node in again.into_iter().chain(other) {
        assert!(node.stop(Duration::from_secs(30)).await);
    }
    Told { died, forest: world.told().of_saga(&trip.address().id), unheard: deaf.unheard() }
}

async fn survives(death: Death) {
    for story in &STORIES {
        survives_each(story.name, async |nth| told(story, death, nth).await).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_tree_is_the_same_when_the_only_node_dies() {
    survives(Death::OfTheOnlyNode).await;
}

#[tokio::test(start_paused = true)]
async fn the_tree_is_the_same_when_the_node_of_the_trips_dies() {
    survives(Death::OfTheTrips).await;
}

#[tokio::test(start_paused = true)]
async fn the_tree_is_the_same_when_the_node_of_the_stays_dies() {
    survives(Death::OfTheStays).await;
}

#[tokio::test(start_paused = true)]
async fn the_tree_is_the_same_when_another_node_takes_over() {
    survives(Death::WithAnHeir).await;
}
