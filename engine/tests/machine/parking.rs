//! An entity that cannot take what it waits for is set aside with it: nobody else could be told.

use palinode::{
    Digest, EntityKey, Position,
    commit::{Commit, Outcome, Peer},
    machine::{Incoming, Input, Machine, Quiet, Step},
    message::{ClientMessage, Message, ReplyTo, Target, UNPARK},
    receipt::Told,
    snapshots::Section,
};
use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::bench::{Bench, Command, LOG, NOW, arriving, machine, mended};

/// A sender that was sent an answer it cannot take.
fn broken() -> (Bench, Input) {
    let mut bench = Bench::single();
    let message = bench.send_to("fragile", "c");
    let asked = bench.client(&message).sends[0].message.clone();
    let answered = bench.commit(&arriving(&asked, None)).sends[0].message.clone();
    (bench, arriving(&answered, None))
}

/// A machine that reads what another one committed.
fn folded(mut machine: Machine, bench: &Bench) -> Machine {
    for (offset, stepped) in (1..).zip(&bench.commits) {
        let commit: Commit = serde_json::from_slice(&stepped.value).unwrap();
        if let Some(key) = machine.needs(&commit) {
            machine.load(&key, None).unwrap();
        }
        machine.replay(&commit, Digest::of(&stepped.value), offset).unwrap();
    }
    machine
}

fn unpark(bench: &Bench) -> ClientMessage {
    let order = serde_json::json!({ "by": "ada", "reason": "mended" });
    ClientMessage {
        name: UNPARK.into(),
        data: to_raw_value(&order).unwrap(),
        ..bench.send_to("fragile", "c")
    }
}

/// A message of another shard that wants an answer.
fn asking(n: u64) -> Input {
    let from = Peer { service: "other".into(), log_id: Uuid::from_u128(9), shard: 0 };
    let to = Target { service: "test".into(), log_id: LOG, kind: "sender".into(), id: "fragile".into() };
    let message = Message {
        from,
        seq: n,
        prev: Digest::ZERO,
        time: NOW,
        to,
        shard: 0,
        name: "sender".into(),
        data: to_raw_value("c").unwrap(),
        reply: Some(ReplyTo { kind: "asker".into(), id: "a".into(), re: "why".into() }),
        re: None,
        traceparent: None,
    };
    let bytes = serde_json::to_vec(&message).unwrap();
    Input::Channel(Box::new(Incoming::decode(&bytes, None).unwrap()))
}

/// An entity set aside with an answer and a message.
fn parked() -> Bench {
    let (mut bench, answer) = broken();
    let Step::Commit(parked) = bench.machine.refuse(bench.now, &answer, "broken") else {
        panic!("expected a commit")
    };
    bench.commits.push(*parked);
    assert_eq!(bench.commit(&asking(1)).commit.outcome, Outcome::Parked);
    bench
}

#[test]
fn an_entity_whose_code_is_mended_takes_what_was_stored_in_one_commit_and_answers_it() {
    // given an entity set aside, and a build that can run it
    let mut bench = parked();
    bench.machine = folded(mended(), &bench);

    // when it is set free
    let order = unpark(&bench);
    let freed = bench.client(&order);

    // then it took the answer and the message, in their order, and the message is answered
    assert_eq!((freed.commit.outcome, freed.commit.events.len()), (Outcome::Accepted, 1));
    assert_eq!(&*freed.commit.events[0].name, "sender.answered");
    let sent: Vec<_> = freed
        .sends
        .iter()
        .map(|sent| (sent.to.service.to_string(), sent.message.message().name.to_string()))
        .collect();
    let expected = [("test", "counter"), ("other", "reply")].map(|(s, n)| (s.to_owned(), n.to_owned()));
    assert_eq!(sent, expected);
    let answer = freed.commit.answer.as_ref().unwrap().get().to_owned();
    assert_eq!(answer, r#"{"order":{"by":"ada","reason":"mended"},"taken":2}"#);

    // and it lives, for the next owner too, and for one that reads a snapshot
    let more = bench.send_to("fragile", "c");
    assert_eq!(bench.client(&more).commit.outcome, Outcome::Accepted);
    let mut next = folded(mended(), &bench);
    let again = bench.send_to("fragile", "c");
    assert!(matches!(next.step(bench.now, &Input::Client(Box::new(again))), Step::Commit(_)));
}

#[test]
fn a_snapshot_keeps_what_was_stored() {
    // given a snapshot taken while the entity is set aside
    let mut bench = parked();
    let mut before = folded(machine(0, 1), &bench);
    let head = *before.head();
    let at = Position {
        log_id: LOG,
        offset: 9,
        term: head.term,
        claim_id: head.claim_id,
        pseq: head.pseq,
        digest: head.digest,
    };
    let save = before.capture(at).unwrap();
    let (entities, rows): (Vec<_>, Vec<_>) =
        save.rows.into_iter().partition(|r| r.section == Section::Entity);

    // when a build that can run it begins from there
    let mut next = mended();
    next.restore(&save.head, &rows).unwrap();
    let key = EntityKey::new("sender", "fragile");
    let row = entities.iter().find(|row| row.key == key.to_string()).unwrap();
    next.load(&key, Some(row)).unwrap();
    bench.machine = next;
    let order = unpark(&bench);

    // then it takes everything
    assert!(bench.client(&order).commit.answer.as_ref().unwrap().get().ends_with("\"taken\":2}"));
}

#[test]
fn an_entity_whose_code_is_not_mended_stays_set_aside() {
    let mut bench = parked();
    let order = unpark(&bench);
    let told = bench.quiet(&Input::Client(Box::new(order)));
    let Quiet::Told(Told::Parked(why)) = &told else { panic!("{told:?}") };
    assert_eq!(&**why, "broken; and still: broken by the answer");
    // and takes it all the same once it is
    bench.machine = folded(mended(), &bench);
    let order = unpark(&bench);
    assert_eq!(bench.client(&order).commit.outcome, Outcome::Accepted);
}

#[test]
fn to_an_entity_that_is_not_set_aside_the_order_is_a_message_like_others() {
    let mut bench = Bench::single();
    let order = ClientMessage { name: UNPARK.into(), ..bench.command("c", &Command::Add(1)) };
    let refused = bench.client(&order);
    assert_eq!(refused.commit.outcome, Outcome::Invalid);
    assert!(refused.commit.answer.as_ref().unwrap().get().contains("knows no"));
}

#[test]
fn an_answer_that_breaks_its_entity_is_stored_and_parks_it() {
    // given an entity broken by an answer
    let (mut bench, answer) = broken();
    let Step::Unfit(why) = bench.step(&answer) else { panic!("expected it not to fit") };

    // when the answer is committed without asking it
    let Step::Commit(parked) = bench.machine.refuse(bench.now, &answer, &why) else {
        panic!("expected a commit")
    };

    // then the answer is kept, unapplied, and the entity takes nothing more
    assert_eq!((parked.commit.outcome, parked.commit.events.len()), (Outcome::Parked, 0));
    assert!(parked.commit.parked.as_ref().unwrap().get().contains("\"type\":\"reply\""));
    bench.commits.push(*parked);
    let more = bench.send_to("fragile", "c");
    let told = bench.quiet(&Input::Client(Box::new(more)));
    assert!(matches!(&told, Quiet::Told(Told::Parked(why)) if &**why == "broken by the answer"), "{told:?}");

    // and so it is for the next owner
    let mut next = folded(machine(0, 1), &bench);
    let again = bench.send_to("fragile", "c");
    let told = next.step(bench.now, &Input::Client(Box::new(again)));
    assert!(matches!(told, Step::Quiet(Quiet::Told(Told::Parked(_)))), "{told:?}");
}

#[test]
fn the_answer_is_committed_once_even_if_another_owner_did_it_meanwhile() {
    let (mut bench, answer) = broken();
    let Step::Commit(parked) = bench.machine.refuse(bench.now, &answer, "broken") else {
        panic!("expected a commit")
    };
    bench.commits.push(*parked);
    let again = bench.machine.refuse(bench.now, &answer, "broken");
    assert!(matches!(again, Step::Quiet(Quiet::Old { .. })), "{again:?}");
}
