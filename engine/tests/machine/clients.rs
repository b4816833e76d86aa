//! Clients: idempotency by id, rejections as durable as acceptances, what is refused without a commit.

use palinode::{
    commit::Outcome,
    machine::{Input, Quiet, Step},
    receipt::{Invalid, Told},
};
use uuid::Uuid;

use crate::bench::{Bench, Command, NOW, counter_on};

#[test]
fn a_command_becomes_one_commit_with_its_event_and_its_answer() {
    let mut bench = Bench::single();
    let message = bench.command("a", &Command::Add(2));
    let commit = &bench.client(&message).commit;
    assert_eq!((commit.pseq, commit.outcome), (1, Outcome::Accepted));
    assert_eq!(&*commit.events[0].name, "counter.added");
    assert_eq!(commit.answer.as_ref().unwrap().get(), "\"2\"");
    assert_eq!(commit.entity.as_ref().unwrap().version, 0);
}

#[test]
fn a_rejection_is_a_commit_without_events_that_leaves_the_version() {
    let mut bench = Bench::single();
    let message = bench.command("a", &Command::Add(-1));
    let commit = bench.client(&message).commit.clone();
    assert_eq!((commit.outcome, commit.events.len()), (Outcome::Rejected, 0));
    assert!(commit.answer.unwrap().get().contains("\"code\":\"Negative\""));
    let message = bench.command("a", &Command::Add(1));
    assert_eq!(bench.client(&message).commit.entity.as_ref().unwrap().version, 0);
}

#[test]
fn cx18_a_repeated_id_is_its_own_commits_answer_even_with_an_expected_version() {
    let mut bench = Bench::single();
    let mut message = bench.command("a", &Command::Add(1));
    message.expect_version = Some(0);
    let pseq = bench.client(&message).commit.pseq;
    let again = bench.quiet(&Input::Client(Box::new(message)));
    assert!(matches!(again, Quiet::Again { pseq: p, offset: None } if p == pseq), "{again:?}");
}

#[test]
fn the_same_id_with_other_data_is_refused() {
    let mut bench = Bench::single();
    let first = bench.command("a", &Command::Add(1));
    bench.client(&first);
    let mut other = bench.command("a", &Command::Add(2));
    other.id = first.id;
    let told = bench.quiet(&Input::Client(Box::new(other)));
    assert!(matches!(told, Quiet::Told(Told::Invalid(Invalid::IdReused { .. }))), "{told:?}");
}

#[test]
fn a_wrong_expected_version_is_a_durable_conflict_with_both_numbers() {
    let mut bench = Bench::single();
    let mut message = bench.command("a", &Command::Add(1));
    message.expect_version = Some(3);
    let commit = &bench.client(&message).commit;
    assert_eq!(commit.outcome, Outcome::Conflict);
    assert!(commit.answer.as_ref().unwrap().get().contains("{\"expected\":3,\"actual\":0}"));
}

#[test]
fn cx14_an_id_born_before_the_horizon_is_expired_and_never_executed() {
    let mut bench = Bench::single();
    let old = bench.command("a", &Command::Add(1));
    bench.now = NOW.plus(std::time::Duration::from_secs(3_700));
    let young = bench.command("a", &Command::Add(1));
    bench.client(&young);
    let told = bench.quiet(&Input::Client(Box::new(old)));
    assert!(matches!(told, Quiet::Told(Told::Expired)), "{told:?}");
}

#[test]
fn an_id_without_a_birth_or_born_ahead_is_refused() {
    let mut bench = Bench::single();
    let mut message = bench.command("a", &Command::Add(1));
    message.id = Uuid::from_u128(5);
    let told = bench.quiet(&Input::Client(Box::new(message)));
    assert!(matches!(told, Quiet::Told(Told::Invalid(Invalid::NotBorn { .. }))), "{told:?}");
    bench.now = NOW.plus(std::time::Duration::from_secs(120));
    let ahead = bench.command("a", &Command::Add(1));
    bench.now = NOW;
    let told = bench.quiet(&Input::Client(Box::new(ahead)));
    let lead =
        |t: &Quiet| matches!(t, Quiet::Told(Told::Invalid(Invalid::BornAhead { lead_ms: 120_000, .. })));
    assert!(lead(&told), "{told:?}");
}

#[test]
fn cx23_an_entity_of_another_shard_is_misrouted_without_a_commit() {
    let mut bench = Bench::new(0, 4);
    let message = bench.command(&counter_on(3, 4), &Command::Add(1));
    let told = bench.quiet(&Input::Client(Box::new(message)));
    let misrouted =
        |t: &Quiet| matches!(t, Quiet::Told(Told::Invalid(Invalid::Misrouted { expected: 3, found: 0, .. })));
    assert!(misrouted(&told), "{told:?}");
}

#[test]
fn an_unknown_kind_is_named_with_what_there_is() {
    let mut bench = Bench::single();
    let mut message = bench.command("a", &Command::Add(1));
    message.to.kind = "counters".into();
    let Quiet::Told(Told::Invalid(why)) = bench.quiet(&Input::Client(Box::new(message))) else { panic!() };
    assert_eq!(why.to_string(), "kind \"counters\" is not served here; served: counter, sender");
}

#[test]
fn an_undecodable_command_is_a_commit_that_says_so() {
    let mut bench = Bench::single();
    let mut message = bench.command("a", &Command::Add(1));
    message.data = serde_json::value::to_raw_value("nonsense").unwrap();
    let commit = &bench.client(&message).commit;
    assert_eq!(commit.outcome, Outcome::Invalid);
    assert!(commit.answer.as_ref().unwrap().get().contains("unknown variant `nonsense`"));
}

#[test]
fn an_event_that_is_too_large_and_too_many_events_are_durable_refusals_and_the_entity_goes_on() {
    let mut bench = Bench::single();
    for (command, why) in [
        (Command::EventOf(300_000), "bytes; at most 262144"),
        (Command::Events(101), "101 events of one command; at most 100"),
    ] {
        let message = bench.command("a", &command);
        let commit = bench.client(&message).commit.clone();
        assert_eq!((commit.outcome, commit.events.len()), (Outcome::Invalid, 0));
        assert!(commit.answer.as_ref().unwrap().get().contains(why), "{:?}", commit.answer);
    }
    let message = bench.command("a", &Command::Add(1));
    assert_eq!(bench.client(&message).commit.entity.as_ref().unwrap().version, 0);
}

#[test]
fn a_panic_in_decide_is_a_durable_no_and_the_entity_goes_on() {
    let mut bench = Bench::single();
    let message = bench.command("a", &Command::PanicInDecide);
    let commit = bench.client(&message).commit.clone();
    assert_eq!(commit.outcome, Outcome::Invalid);
    assert!(commit.answer.unwrap().get().contains("decide panicked: as asked"));
    let message = bench.command("a", &Command::Add(1));
    assert_eq!(bench.client(&message).commit.outcome, Outcome::Accepted);
}

#[test]
fn a_panic_in_evolve_makes_the_entity_unfit_and_the_refusal_is_committed_without_asking_it() {
    let mut bench = Bench::single();
    let input = Input::Client(Box::new(bench.command("a", &Command::PanicInEvolve)));
    let Step::Unfit(why) = bench.step(&input) else { panic!("expected the entity to be unfit") };
    assert_eq!(&*why, "evolve panicked: cursed");
    assert_eq!(bench.machine.head().pseq, 0, "nothing was committed");
    let Step::Commit(refused) = bench.machine.refuse(bench.now, &input, &why) else { panic!() };
    assert_eq!((refused.commit.outcome, refused.commit.events.len()), (Outcome::Invalid, 0));
}

#[test]
fn cx17_an_input_whose_record_would_be_too_large_is_a_typed_refusal_and_the_shard_lives() {
    let mut bench = Bench::single();
    let input = Input::Client(Box::new(bench.command("a", &Command::ReplyOf(1 << 20))));
    let Step::Unfit(why) = bench.step(&input) else { panic!("expected it not to fit") };
    assert!(why.contains("at most 921600"), "{why}");
    let Step::Commit(refused) = bench.machine.refuse(bench.now, &input, &why) else { panic!() };
    assert!(refused.commit.answer.as_ref().unwrap().get().contains("bytes; at most"));
}
