//! Facts: what happens once, and is told once.

use std::time::Duration;

use palinode::{
    Address, Limits, Record, Topic,
    commit::Cause,
    log::memory::{Faults, Next},
    message::ClientMessage,
    receipt::Told,
};
use serde_json::value::RawValue;

use crate::{
    kinds::Command,
    world::{World, clients},
};

#[tokio::test(start_paused = true)]
async fn every_answer_is_told_with_its_kind() {
    // Given a node
    let world = World::of_one_shard();
    let node = world.node("a").await;
    let client = node.client();
    // When a client is answered in every way that an owner answers
    let add = world.add("c", 1);
    world.ask(&client, &add).await;
    world.ask(&client, &world.command("c", &Command::Take(100))).await;
    world.ask(&client, &ClientMessage { expect_version: Some(99), ..world.add("c", 1) }).await;
    world.ask(&client, &ClientMessage { data: RawValue::NULL.to_owned(), ..world.add("c", 1) }).await;
    world.ask(&client, &ClientMessage { data: world.add("c", 2).data, ..add }).await;
    world.ask(&client, &ClientMessage { id: uuid::Uuid::nil(), ..world.add("c", 1) }).await;
    // Then each is told
    let answered = |what: &str| world.heard.count("bank", &format!("answered {what}"));
    assert_eq!(answered("counter accepted"), 1);
    assert_eq!(answered("counter rejected"), 1);
    assert_eq!(answered("counter conflict"), 1);
    assert_eq!(answered("counter invalid"), 3, "broken, an id used again, no id");
    // And with an unknown outcome, and with too many at once
    world.cluster.set_faults(Faults { latency: Duration::from_secs(1), ..Faults::none() });
    let impatient = client.clone().with_patience(Duration::from_millis(10));
    world.ask(&impatient, &world.add("c", 1)).await;
    assert_eq!(answered("counter unknown"), 1);
    world.cluster.set_faults(Faults::none());
    world.finish(vec![node]).await;
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_owner_is_told() {
    let mut world = World::of_one_shard();
    world.limits = Limits { queue: 2, pipeline: 1, ..Limits::default() };
    let node = world.node("a").await;
    world.accepted(&clients(&[&node]), &world.add("c", 1)).await;
    world.cluster.set_faults(Faults { latency: Duration::from_secs(1), ..Faults::none() });
    let asked: Vec<_> = (0..20).map(|_| world.asking(&node.client(), &world.add("c", 1))).collect();
    let mut overloaded = 0;
    for told in asked {
        overloaded += usize::from(matches!(told.await.unwrap(), Told::Overloaded));
    }
    assert!(overloaded > 10, "{overloaded}");
    assert_eq!(world.heard.count("bank", "answered counter overloaded"), overloaded);
    assert_eq!(world.heard.count("bank", "answered counter accepted"), 21 - overloaded);
    world.cluster.set_faults(Faults::none());
    world.finish(vec![node]).await;
}

#[tokio::test(start_paused = true)]
async fn names_that_nobody_confirms_are_not_told() {
    // Given a node and somebody who makes up names
    let world = World::of_one_shard();
    let node = world.node("a").await;
    let client = node.client();
    let to = |service: &str, kind: &str| ClientMessage {
        to: Address::new(service, kind, "x"),
        ..world.add("c", 1)
    };
    // When they are asked for
    for n in 0..1_000 {
        world.ask(&client, &to("bank", &format!("kind{n}"))).await;
        world.ask(&client, &to(&format!("service{n}"), "counter")).await;
    }
    let bad = ClientMessage { to: Address::new("any", "thing", ""), ..world.add("c", 1) };
    world.ask(&client, &bad).await;
    // Then no metric gets a new attribute of it
    assert_eq!(world.heard.count("bank", "answered _OTHER invalid"), 1_000);
    assert_eq!(world.heard.count("_OTHER", "answered _OTHER invalid"), 1_001);
    assert_eq!(world.heard.told().iter().filter(|told| told.what.starts_with("answered")).count(), 2_001);
    node.crash().await;
}

#[tokio::test(start_paused = true)]
async fn every_commit_is_told_once_by_the_owner_that_proved_it() {
    // Given two services on two nodes
    let world = World::of_two_services(2);
    let (a, b) = world.apart().await;
    let both = clients(&[&a, &b]);
    for n in 0..20 {
        world.tell(&both, &world.order(&format!("d{n}"), "c", 3)).await;
    }
    world.settle().await;
    // When one of them is replaced, and reads everything again
    b.stop(Duration::from_secs(30)).await;
    let b = world.node("b").await;
    world.accepted(&clients(&[&b]), &world.add("c", 1)).await;
    let truth = world.finish(vec![a, b]).await;
    // Then what it read was told before
    for service in ["bank", "desk"] {
        let commits = || truth.0.iter().filter(|p| &*p.me.service == service).flat_map(|p| &p.commits);
        assert_eq!(world.heard.count(service, "effective"), commits().count(), "{service}");
        // And every commit was a message to the log, beside those that came too late; and every message that made one was
        // handled
        let sent = world.heard.values(service, &format!("sent palinode {service}.events appended"));
        let told = world.heard.told();
        let dead = told.iter().filter(|told| &*told.service == service && told.what.starts_with("dead "));
        let float = |count: usize| f64::from(u32::try_from(count).unwrap());
        let (least, most) = (float(commits().count()), float(commits().count() + dead.count()));
        assert!((least..=most).contains(&sent.iter().sum()), "{service}: {least} to {most}, {sent:?}");
        let messages = commits().filter(|c| matches!(c.cause, Cause::Client { .. } | Cause::Channel { .. }));
        let handled = format!("processed palinode {service}.inbox");
        assert_eq!(world.heard.count(service, &handled), messages.count(), "{service}");
        let asked = world.heard.values(service, &format!("sent palinode {service}.inbox appended"));
        assert!(asked.iter().sum::<f64>() >= 20.0, "each order, each answer: {asked:?}");
    }
    // And nothing became effective before it was sent, nor waited less than no time
    let took = world.heard.told().into_iter().filter(|told| told.value < 0.0).count();
    assert_eq!(took, 0);
    assert!(world.heard.count("bank", "waited") >= 60, "each message waited");
}

#[tokio::test(start_paused = true)]
async fn what_the_log_says_of_appends_is_told_and_what_it_leaves_behind() {
    // Given an owner
    let world = World::of_one_shard();
    let node = world.node("a").await;
    let client = clients(&[&node]);
    world.accepted(&client, &world.add("c", 1)).await;
    let heard = |what: &str| world.heard.count("bank", what);
    assert_eq!((heard("append unknown"), heard("append refused"), heard("dead old_term")), (0, 0, 0));
    // When an append is unknown, and lands after the next claim
    world.cluster.next_append("a", Next::Late);
    world.accepted(&client, &world.add("c", 1)).await;
    world.cluster.release("a");
    world.accepted(&client, &world.add("c", 1)).await;
    world.pass(Duration::from_secs(5)).await;
    // Then both are told
    assert_eq!((heard("append unknown"), heard("dead old_term")), (1, 1));
    assert_eq!(heard("claim counted"), 2);
    // And an append that lands twice, one that is refused, one whose place is not known
    world.cluster.next_append("a", Next::Double);
    world.accepted(&client, &world.add("c", 1)).await;
    world.pass(Duration::from_secs(5)).await;
    assert_eq!((heard("append unknown"), heard("dead duplicate")), (2, 1));
    world.cluster.next_append("a", Next::Refuse);
    world.accepted(&client, &world.add("c", 1)).await;
    assert_eq!(heard("append refused"), 1);
    let gaps = heard("gap read");
    world.cluster.next_append("a", Next::HideOffsets);
    world.accepted(&client, &world.add("c", 1)).await;
    assert_eq!(heard("gap read"), gaps + 1);
    // And another program that writes there
    let foreign = Record { mark: None, ..Record::ours("".into(), b"hello".to_vec(), palinode::Micros(0)) };
    assert!(world.cluster.inject(&Topic::events("bank"), 0, foreign).is_some());
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(heard("dead no_mark"), 1);
    world.finish(vec![node]).await;
}

#[tokio::test(start_paused = true)]
async fn a_take_over_is_told_in_its_phases() {
    // Given a node that dies, and is missed after twenty seconds
    let world = World::of_one_shard();
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    let b = world.node("b").await;
    assert_eq!(
        world.heard.values("bank", "taken over: detect"),
        Vec::<f64>::new(),
        "there was nobody before"
    );
    world.dies_unnoticed(a).await;
    // When another takes over
    world.accepted(&clients(&[&b]), &world.add("c", 1)).await;
    // Then it says how long nobody noticed, and how long the rest took
    let detect = world.heard.values("bank", "taken over: detect");
    assert!(detect.len() == 1 && (15.0..60.0).contains(&detect[0]), "{detect:?}");
    for phase in ["recover", "claim"] {
        let took = world.heard.values("bank", &format!("taken over: {phase}"));
        assert!(took.len() == 2 && took.iter().all(|took| (0.0..10.0).contains(took)), "{phase}: {took:?}");
    }
    assert_eq!(world.heard.count("bank", "claim counted"), 2);
    world.finish(vec![b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_is_told_as_a_violation_and_a_newer_build_is_not() {
    // Given an owner, and a record of a newer build
    let world = World::of_one_shard();
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    let newer = Record { mark: Some(99), ..Record::ours("".into(), b"{}".to_vec(), palinode::Micros(0)) };
    world.cluster.inject(&Topic::events("bank"), 0, newer).unwrap();
    world.until("it stops", |_| !a.halted().is_empty()).await;
    // Then it stops and nothing is broken
    assert_eq!(world.heard.count("bank", "violated fold"), 0);
    a.crash().await;
    // Given one whose log holds what is ours and nonsense
    let world = World::of_one_shard();
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    let nonsense = Record::ours("".into(), b"nonsense".to_vec(), palinode::Micros(0));
    world.cluster.inject(&Topic::events("bank"), 0, nonsense).unwrap();
    world.until("it stops", |_| !a.halted().is_empty()).await;
    // Then it is told
    assert_eq!(world.heard.count("bank", "violated fold"), 1);
    a.crash().await;
}
