//! Ids of clients know their birth, and what they were first used for: CX14, CX26, as far as it is in the id itself.

use palinode::{
    Address, Micros,
    message::{ClientMessage, born},
};
use serde_json::{json, value::to_raw_value};
use uuid::{Timestamp, Uuid};

/// A birth to the millisecond, from the id alone: no owner's clock has a say in whether it is too old.
#[test]
fn cx14_an_id_says_when_it_was_born() {
    for seconds in [0, 1_760_000_000, 4_000_000_000] {
        let id = Uuid::new_v7(Timestamp::from_unix_time(seconds, 123_456_789, 7, 12));
        let micros = i64::try_from(seconds).unwrap() * 1_000_000 + 123_000;
        assert_eq!(born(id), Some(Micros(micros)));
    }
}

/// An id of another version has no birth: nothing may be concluded from its first bytes.
#[test]
fn cx26_an_id_without_a_birth_is_not_given_one() {
    let mut bytes = *Uuid::new_v7(Timestamp::from_unix_time(1_760_000_000, 0, 7, 12)).as_bytes();
    for version in [1_u8, 4, 8] {
        bytes[6] = (version << 4) | (bytes[6] & 0x0f);
        assert_eq!(born(Uuid::from_bytes(bytes)), None, "version {version}");
    }
}

/// The same id with anything else in it is another request, and must not be given the first one's answer.
#[test]
fn cx26_an_id_used_with_another_payload_can_be_told() {
    let first = ClientMessage {
        id: Uuid::from_u128(1),
        to: Address::new("hotel", "room", "lisbon"),
        name: "room".into(),
        data: to_raw_value(&json!({"hold": 1})).unwrap(),
        expect_version: None,
        traceparent: None,
    };
    let others = [
        ClientMessage { data: to_raw_value(&json!({"hold": 2})).unwrap(), ..first.clone() },
        ClientMessage { to: Address::new("hotel", "room", "porto"), ..first.clone() },
        ClientMessage { name: "signal".into(), ..first.clone() },
        ClientMessage { expect_version: Some(0), ..first.clone() },
    ];
    for other in &others {
        assert_ne!(other.digest(), first.digest(), "{other:?}");
    }
    let retried = ClientMessage { traceparent: Some("00-1-2-03".into()), ..first.clone() };
    assert_eq!(retried.digest(), first.digest(), "a retry is traced anew and stays the same request");
}
