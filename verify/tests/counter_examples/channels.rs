//! One end of a channel is restored: CX25.

use palinode::{
    Digest, Micros,
    commit::Peer,
    message::{Message, Target},
};
use serde_json::value::to_raw_value;

use crate::trace::id;

/// The bytes of a channel's messages with these contents, as they travel.
fn channel(contents: &[&str]) -> Vec<Vec<u8>> {
    let mut prev = Digest::ZERO;
    let mut sent = Vec::new();
    for (seq, content) in (1..).zip(contents) {
        let message = Message {
            from: Peer { service: "trip".into(), log_id: id(1), shard: 0 },
            seq,
            prev,
            time: Micros(0),
            to: Target { service: "hotel".into(), log_id: id(2), kind: "room".into(), id: "lisbon".into() },
            shard: 0,
            name: "room".into(),
            data: to_raw_value(content).unwrap(),
            reply: None,
            re: None,
            traceparent: None,
        };
        let bytes = serde_json::to_vec(&message).unwrap();
        prev = Digest::of(&bytes);
        sent.push(bytes);
    }
    sent
}

fn prev(bytes: &[u8]) -> Digest {
    serde_json::from_slice::<Message>(bytes).unwrap().prev
}

/// The sender is restored to message 2 and goes on with others. Its 3 and 4 are dropped as old; its 5 follows by number,
/// but names a predecessor that the receiver never had: the channel stops there instead of losing two messages.
#[test]
fn cx25_a_restored_sender_names_a_predecessor_the_receiver_never_had() {
    let before = channel(&["a", "b", "c", "d"]);
    let restored = channel(&["a", "b", "x", "y", "z"]);
    let receiver_holds = Digest::of(&before[3]);
    assert_ne!(prev(&restored[4]), receiver_holds);

    let sound = channel(&["a", "b", "c", "d", "e"]);
    assert_eq!(prev(&sound[4]), receiver_holds);
}

/// Even when the last message before the cut is the same again: digests reach back to the first.
#[test]
fn cx25_a_difference_stays_visible_in_every_later_message() {
    let before = channel(&["a", "b", "c", "d"]);
    let restored = channel(&["a", "x", "c", "d", "e"]);
    assert_ne!(prev(&restored[4]), Digest::of(&before[3]));
}
