//! The example over several processes, on a real Kafka and a real PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may be blunt"
)]

#[path = "support/run.rs"]
mod run;
#[path = "support/servers.rs"]
mod servers;

use run::Data;
use serde_json::Value;
use servers::Place;

#[tokio::test]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn trips_are_booked_over_processes_of_which_some_die_and_one_leaves() {
    // given a process for each service, and two for rooms and for sagas
    let place = Place::created().await;
    let (trip, hotel) = (place.run("trip"), place.run("hotel"));
    let others = [place.run("trip"), place.run("hotel"), place.run("flight"), place.run("car")];

    // when one of each dies while trips are booked, and another one leaves in order
    let work = ["work", "--seed", "3", "--from", "0", "--until", "400", "--concurrency", "32"];
    let (mut guests, _) = place.start(&work, "accepted ");
    let mut accepted = |n: u32| (0..n).for_each(|_| assert!(guests.says().is_some()));
    accepted(60);
    trip.kill();
    accepted(60);
    hotel.kill();
    let trip = place.run("trip");
    accepted(100);
    trip.stop();
    accepted(179);
    guests.ended();

    // then every trip has ended, once, and log, bank and rows agree
    let verified = place.good(&["verify"]);
    assert_eq!((&verified["clean"], &verified["unfinished"]), (&Value::Bool(true), &0.into()), "{verified}");
    let trips = verified["trips"].as_object().unwrap();
    assert_eq!(trips.values().filter_map(Value::as_u64).sum::<u64>(), 400, "{verified}");
    drop(others);

    // and the timeline of one of them is there without any process
    let trip = booking::trips::id::of_generated(3, 7).to_string();
    let shown = place.good(&["show", &trip]);
    let journal = shown["journal"].as_array().unwrap();
    assert_eq!(journal.first().unwrap()["event"]["type"], "started", "{shown}");
}

#[tokio::test]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn the_results_are_those_of_the_embedded_log() {
    // given the same trips, one after the other, all of whose guests answer
    let trips = ["--trips", "60", "--seed", "11", "--concurrency", "1", "--hold", "60"];
    let embedded = Data::new().good(&trips);

    // when they are booked over processes
    let place = Place::created().await;
    let _services = place.start(&["run", "--hold", "60"], "running ");
    let shared = place.good(&trips);

    // then each has the same outcome
    for outcome in ["trips", "completed", "compensated", "cancelled", "expired", "stuck", "refused_at"] {
        assert_eq!(shared[outcome], embedded[outcome], "{outcome}: {shared} {embedded}");
    }
    assert_eq!(place.good(&["verify"])["clean"], true);

    // and the face that runs no service serves load, shows its trips to whoever brings the token, and lists the sagas
    let loaded = place.good(&["load", "--seconds", "3", "--rate", "20", "--connections", "4"]);
    assert_eq!((&loaded["audit"]["clean"], &loaded["rate"]), (&Value::Bool(true), &20.into()), "{loaded}");
    let sagas = place.good(&["saga", "list", "--status", "completed", "--limit", "1000"]);
    let completed = place.good(&["verify"])["trips"]["completed"].as_u64();
    assert_eq!(Some(sagas["sagas"].as_array().unwrap().len() as u64), completed, "{sagas}");
}

#[tokio::test]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn what_cannot_be_is_refused_with_what_to_do() {
    let place = Place::new().await;
    for (args, says) in [
        (["run", "--services", "hotel"], "create it first"),
        (["crash", "--kills", "1"], "works on the log of a folder only"),
        (["reads", "show", "trips"], "works on the log of a folder only"),
    ] {
        let said = place.refused(&args);
        assert!(said.contains(says), "{args:?}: {said}");
    }
    place.good(&["create", "--shards", "2", "--replication", "1"]);
    let said = place.refused(&["create", "--shards", "3", "--replication", "1"]);
    assert!(said.contains('2') && said.contains('3'), "{said}");
    let alone = Data::new().output(&["run", "--kafka", "127.0.0.1:9"]);
    let said = String::from_utf8_lossy(&alone.stderr);
    assert!(said.contains("say --postgres URL too"), "{said}");
}
