//! Messages between shards: accepted exactly once and in order, whatever the roads do.

use palinode::{
    commit::{Cause, Outcome},
    machine::{Input, Quiet},
};

use crate::bench::{Bench, Command, arriving, counter_on};

/// Two shards: a sender on one, a counter on the other; and the sender's first messages.
fn pair(messages: usize) -> (Bench, Bench, Vec<Input>) {
    let partitions = 2;
    let sender = "s0";
    let home = palinode::EntityKey::new("sender", sender).shard(partitions);
    let (mut from, to) = (Bench::new(home, partitions), Bench::new(1 - home, partitions));
    let counter = counter_on(1 - home, partitions);
    let mut sent = Vec::new();
    for _ in 0..messages {
        let message = from.send_to(sender, &counter);
        let stepped = from.client(&message);
        let raw = &stepped.sends[0].message;
        sent.push(arriving(raw, None));
    }
    (from, to, sent)
}

#[test]
fn messages_are_accepted_in_order_and_a_repeat_is_dropped_as_old() {
    let (_, mut to, sent) = pair(2);
    assert!(matches!(to.commit(&sent[0]).commit.cause, Cause::Channel { seq: 1, .. }));
    assert!(matches!(to.quiet(&sent[0]), Quiet::Old { .. }));
    assert!(matches!(to.commit(&sent[1]).commit.cause, Cause::Channel { seq: 2, .. }));
}

#[test]
fn an_early_message_is_held_back_and_taken_once_the_hole_is_filled() {
    let (_, mut to, sent) = pair(2);
    let Quiet::Early { from, missing: 1 } = to.quiet(&sent[1]) else { panic!("expected a hole") };
    to.commit(&sent[0]);
    let (held, ..) = to.machine.channels_mut().release(&from).unwrap();
    assert_eq!(held.seq, 2);
}

#[test]
fn cx8_the_low_mark_never_passes_what_is_held_back() {
    let (_, mut to, sent) = pair(2);
    let at = |input: &Input, offset| match input {
        Input::Channel(incoming) => {
            let mut incoming = incoming.clone();
            incoming.offset = Some(offset);
            Input::Channel(incoming)
        }
        other => other.clone(),
    };
    to.quiet(&at(&sent[1], 10));
    let low = to.commit(&at(&sent[0], 11)).commit.low;
    assert_eq!(low, Some(10), "message 2 lies at 10 and is not accepted yet");
}

#[test]
fn cx25_a_message_on_another_predecessor_is_never_accepted_and_the_true_one_still_is() {
    let (_, mut to, sent) = pair(2);
    to.commit(&sent[0]);
    let Input::Channel(mut forged) = sent[1].clone() else { panic!() };
    std::sync::Arc::make_mut(&mut forged.message).prev = palinode::Digest::of(b"another history");
    for _ in 0..2 {
        assert!(matches!(to.quiet(&Input::Channel(forged.clone())), Quiet::Stray { missing: 2, .. }));
    }
    assert!(matches!(to.commit(&sent[1]).commit.cause, Cause::Channel { seq: 2, .. }));
}

#[test]
fn a_forged_early_copy_gives_way_to_the_true_one() {
    let (_, mut to, sent) = pair(2);
    let Input::Channel(mut forged) = sent[1].clone() else { panic!() };
    std::sync::Arc::make_mut(&mut forged.message).prev = palinode::Digest::of(b"another history");
    let Quiet::Early { from, .. } = to.quiet(&Input::Channel(forged)) else { panic!("expected a hole") };
    to.commit(&sent[0]);
    let (message, digest, offset) = to.machine.channels_mut().release(&from).unwrap();
    let released = palinode::machine::Incoming { message, digest, offset };
    assert!(matches!(to.quiet(&Input::Channel(Box::new(released))), Quiet::Stray { missing: 2, .. }));
    assert!(matches!(to.commit(&sent[1]).commit.cause, Cause::Channel { seq: 2, .. }));
}

#[test]
fn a_number_no_sender_can_have_reached_holds_no_mark_back() {
    let (_, mut to, sent) = pair(1);
    let Input::Channel(mut forged) = sent[0].clone() else { panic!() };
    std::sync::Arc::make_mut(&mut forged.message).seq = 1_000_000;
    forged.offset = Some(3);
    to.quiet(&Input::Channel(forged));
    assert_eq!(to.commit(&sent[0]).commit.low, Some(4), "nothing is held back for it");
}

#[test]
fn an_answer_travels_back_and_an_acknowledgement_closes_without_a_commit_of_its_own() {
    let (mut from, mut to, sent) = pair(1);
    let answered = to.commit(&sent[0]);
    let raw = &answered.sends[0].message;
    let reply = arriving(raw, None);
    let peer = to.machine.me().clone();
    let Input::Channel(message) = &sent[0] else { panic!() };
    assert!(from.machine.channels_mut().ack(&peer, 1, message.digest));
    let commit = from.commit(&reply).commit.clone();
    assert_eq!(commit.closed.len(), 1, "the acknowledgement rides in the next commit");
    assert_eq!(&*commit.events[0].name, "sender.answered");
    assert_eq!(from.machine.channels().open_after(&peer, 0).count(), 0);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_ignored() {
    let (mut from, to, _) = pair(1);
    let peer = to.machine.me().clone();
    assert!(!from.machine.channels_mut().ack(&peer, 2, palinode::Digest::ZERO));
    assert_eq!(from.machine.channels().open_after(&peer, 0).count(), 1);
}

#[test]
fn an_acknowledgement_of_another_message_of_that_number_closes_nothing() {
    let (mut from, to, _) = pair(1);
    let peer = to.machine.me().clone();
    assert!(!from.machine.channels_mut().ack(&peer, 1, palinode::Digest::of(b"another history")));
    assert_eq!(from.machine.channels().open_after(&peer, 0).count(), 1);
}

#[test]
fn a_message_for_an_entity_that_lives_elsewhere_is_accepted_for_nobody_and_answered() {
    let (_, mut to, sent) = pair(1);
    let Input::Channel(mut stray) = sent[0].clone() else { panic!() };
    std::sync::Arc::make_mut(&mut stray.message).to.id = counter_on(1 - to.machine.me().shard, 2).into();
    let commit = to.commit(&Input::Channel(stray)).commit.clone();
    assert_eq!((commit.outcome, commit.entity), (Outcome::Invalid, None));
    assert_eq!(commit.sends.len(), 1, "the sender must not wait for ever");
}

#[test]
fn a_message_from_more_than_a_minute_ahead_is_held_and_not_skipped() {
    let (_, mut to, sent) = pair(1);
    to.now = to.now.minus(std::time::Duration::from_secs(120));
    let Quiet::Ahead { from } = to.quiet(&sent[0]) else { panic!("expected it to be held") };
    to.now = to.now.plus(std::time::Duration::from_secs(90));
    assert!(to.machine.channels_mut().release(&from).is_some());
}

#[test]
fn behind_a_message_from_ahead_nothing_is_missing() {
    let (_, mut to, sent) = pair(3);
    to.now = to.now.minus(std::time::Duration::from_secs(120));
    to.quiet(&sent[0]);
    assert!(matches!(to.quiet(&sent[1]), Quiet::Ahead { .. }));
    let Quiet::Early { from, .. } = to.quiet(&pair(4).2[3]) else { panic!("expected a hole") };
    assert_eq!(to.machine.channels().missing(&from), 3);
}

#[test]
fn messages_to_an_entity_of_the_same_shard_travel_on_the_shards_channel_to_itself() {
    let mut bench = Bench::single();
    let message = bench.send_to("s", "c");
    let palinode::machine::Sent { to, message } = bench.client(&message).sends[0].clone();
    assert_eq!((&to, message.message().seq), (bench.machine.me(), 1));
    bench.commit(&arriving(&message, None));
    let add = bench.command("c", &Command::Add(1));
    assert_eq!(bench.client(&add).commit.answer.as_ref().unwrap().get(), "\"2\"");
}
