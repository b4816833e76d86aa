//! What an inbox may hold besides what was sent once: copies, records of another partitioner, another log's, garbage.

use std::time::Duration;

use palinode::{
    Address, Invalid, Micros, Record, Topic,
    commit::Peer,
    message::ClientMessage,
    receipt::Told,
    remote::{AnswerRecord, AnswerTo, CallRecord},
};
use uuid::Uuid;

use crate::{
    pure_clients::pure,
    world::{World, count, living_on},
};

pub(crate) const NOBODY: Uuid = Uuid::from_u128(7);

/// The record of a call that somebody writes by hand.
pub(crate) fn call(world: &World, message: &ClientMessage, shard: u32) -> Record {
    let log_id = world.truth().shard("bank", 0).me.log_id;
    let to = Peer { service: "bank".into(), log_id, shard };
    let call = CallRecord::of(message, &to, AnswerTo { partition: 0, client: NOBODY, question: 1 });
    Record::ours(message.to.key().to_string().into(), call.encode().unwrap(), Micros(0))
}

/// What this shard's service has answered.
pub(crate) fn answers(world: &World) -> Vec<AnswerRecord> {
    let records = world.cluster.records(&Topic::replies("bank"), 0);
    records.iter().map(|record| AnswerRecord::decode(&record.value).unwrap()).collect()
}

pub(crate) fn told(world: &World, id: Uuid) -> Vec<Told> {
    answers(world).into_iter().filter(|a| a.id == id).filter_map(|a| a.says.told()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_somebody_writes_by_hand_is_executed_once_however_often_it_lies_there() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let message = world.add("x", 5);
    world.until("there is a log", |truth| !truth.shard("bank", 0).claims.is_empty()).await;
    let inbox = Topic::inbox("bank");
    for _ in 0..3 {
        world.cluster.inject(&inbox, 0, call(&world, &message, 0)).unwrap();
    }
    world.until("all are answered", |_| answers(&world).len() == 3).await;
    assert!(told(&world, message.id).iter().all(|told| count(told) == 5));
    // And all of it comes again, for this owner and for the next
    for record in world.cluster.records(&inbox, 0) {
        world.cluster.inject(&inbox, 0, record).unwrap();
    }
    world.until("all are answered", |_| answers(&world).len() == 6).await;
    let b = world.node("b").await;
    world.cluster.assign("bank", 0, "b");
    world.until("b has it", |truth| truth.shard("bank", 0).claims.len() == 2).await;
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.truth().of_id(message.id).len(), 1);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_belong_here_is_refused_or_skipped_and_the_rest_goes_on() {
    // Given two shards
    let world = World::of_two_services(2);
    let (a, b) = world.apart().await;
    let client = pure(&world, "c").await;
    let inbox = Topic::inbox("bank");
    let put = |record| world.cluster.inject(&inbox, 0, record).unwrap();
    // When somebody with another partitioner writes to the wrong one
    let misrouted = world.add(&living_on("counter", 1, 2), 1);
    put(call(&world, &misrouted, 0));
    // And somebody who knows another log of that name
    let elsewhere = world.add(&living_on("counter", 0, 2), 1);
    let mut record = CallRecord::of(
        &elsewhere,
        &Peer { service: "bank".into(), log_id: Uuid::from_u128(9), shard: 0 },
        AnswerTo { partition: 0, client: NOBODY, question: 1 },
    );
    put(Record::ours("counter/x".into(), record.encode().unwrap(), Micros(0)));
    // And somebody to an entity that cannot be one
    record.to.log_id = world.truth().shard("bank", 0).me.log_id;
    (record.id, record.to.id) = (Uuid::from_u128(8), "a\nb".into());
    put(Record::ours("counter/x".into(), record.encode().unwrap(), Micros(0)));
    // And garbage, with our mark and without
    put(Record::ours("counter/x".into(), &b"{"[..], Micros(0)));
    put(Record::ours("counter/x".into(), &br#"{"t":"nonsense"}"#[..], Micros(0)));
    put(Record::ours("".into(), &b"[]"[..], Micros(0)));
    put(Record { mark: None, ..Record::ours("counter/x".into(), &b"{}"[..], Micros(0)) });
    // Then each of them is told, and nothing was done
    world.until("all are answered", |_| answers(&world).len() == 3).await;
    let said = told(&world, misrouted.id);
    let there = |told: &Told| matches!(told, Told::Invalid(Invalid::Misrouted { expected: 1, found: 0, .. }));
    assert!(said.len() == 1 && there(&said[0]), "{said:?}");
    for id in [elsewhere.id, Uuid::from_u128(8)] {
        assert!(
            matches!(told(&world, id)[..], [Told::Invalid(Invalid::Bug { .. })]),
            "{:?}",
            told(&world, id)
        );
    }
    assert!(world.truth().shard("bank", 0).commits.iter().all(|c| c.events.is_empty()));
    // And the next command is executed
    let (on, message) = (living_on("counter", 0, 2), world.add(&living_on("counter", 0, 2), 4));
    assert_eq!(message.to, Address::new("bank", "counter", on.as_str()));
    assert_eq!(count(&world.ask(&client, &message).await), 4);
    world.finish(vec![a, b]).await;
}
