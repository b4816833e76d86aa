//! Reading a log as a program does that computes a state of its own: the commits of a shard, and of a service by time.

use palinode_verify::{Stop, commits, commits_by_time};
use serde_json::json;

use crate::history::*;

#[test]
fn the_commits_of_a_shard_come_in_order_with_all_they_say() {
    let records = History::of(story()).records();
    let all: Vec<_> = commits(&records, "hotel", hotel()).collect::<Result<_, _>>().unwrap();

    assert_eq!(all.len(), 2);
    let held = &all[0];
    assert_eq!((held.at.service.as_ref(), held.at.shard, held.offset), ("hotel", hotel(), 2));
    assert_eq!(held.entity().unwrap().to_string(), "room/lisbon");
    assert_eq!(held.version_after(), Some(1));
    let event = &held.commit.events[0];
    assert_eq!((event.name.as_str(), event.schema, event.data.get()), ("room.held", 1, "{\"n\":1}"));
}

#[test]
fn the_commits_of_a_service_are_merged_by_time() {
    // Given commits on the hotel's other shard between and after those of the story.
    let mut story = story();
    for time in [15_000, 25_000, 90_000] {
        story.push(Step { service: "hotel", shard: 1 - hotel(), body: json!({"time": time}) });
    }
    let records = History::of(story).records();
    let times: Vec<i64> = commits_by_time(&records, "hotel").map(|c| c.unwrap().commit.time).collect();
    assert_eq!(times, [15_000, 20_000, 25_000, 50_000, 90_000]);
}

#[test]
fn reading_stops_at_an_impossible_record() {
    let mut history = History::of(story());
    history.0.get_mut(&("hotel", hotel())).unwrap()[3].crc = Some(0);
    let records = history.records();
    let mut commits = commits(&records, "hotel", hotel());
    assert!(commits.next().unwrap().is_ok());
    let Some(Err(stop @ Stop::Impossible(_))) = commits.next() else { panic!("it goes on") };
    assert!(
        stop.to_string().starts_with(&format!("A9 hotel.events/{}, record 3: checksum 00000000", hotel())),
        "{stop}"
    );
    assert!(commits.next().is_none());
}

#[test]
fn a_service_that_is_not_there_has_no_commits() {
    let records = History::begin().records();
    assert_eq!(commits(&records, "boat", 0).count() + commits_by_time(&records, "boat").count(), 0);
}
