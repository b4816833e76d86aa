//! An entity that cannot take what it waits for is set aside with it: nobody else could be told.

use palinode::{
    Digest,
    commit::{Commit, Outcome},
    machine::{Input, Quiet, Step},
    receipt::Told,
};

use crate::bench::{Bench, arriving, machine};

/// A sender that was sent an answer it cannot take.
fn broken() -> (Bench, Input) {
    let mut bench = Bench::single();
    let message = bench.send_to("fragile", "c");
    let asked = bench.client(&message).sends[0].message.clone();
    let answered = bench.commit(&arriving(&asked, None)).sends[0].message.clone();
    (bench, arriving(&answered, None))
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
    let mut next = machine(0, 1);
    for (offset, stepped) in (1..).zip(&bench.commits) {
        let commit: Commit = serde_json::from_slice(&stepped.value).unwrap();
        if let Some(key) = next.needs(&commit) {
            next.load(&key, None).unwrap();
        }
        next.replay(&commit, Digest::of(&stepped.value), offset).unwrap();
    }
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
