//! The table of the fence, row by row.

use super::*;
use crate::trips::rules::tests::trip_where;

fn bank() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(include_str!("../schema.sql")).unwrap();
    db
}

fn key() -> Key {
    Key { saga: "trip/book-trip/1".into(), node: "capture-payment".into() }
}

fn of(trip: TripId, round: u32) -> Charge {
    Charge { key: key(), round, trip, amount: Cents(10_000) }
}

fn good() -> TripId {
    trip_where(|trip| !rules::payment_is_declined(trip))
}

fn broke() -> TripId {
    trip_where(rules::payment_is_declined)
}

fn money_taken(db: &Connection) -> i64 {
    db.query_row("select coalesce(sum(cents), 0) from ledger", [], |row| row.get(0)).unwrap()
}

fn code(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Refused(code, _) => code,
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn the_same_key_and_round_charges_once() {
    let db = bank();
    let first = charge(&db, &of(good(), 1)).unwrap();
    assert_eq!(first, Verdict::Done("pay-1".into()));
    assert_eq!(charge(&db, &of(good(), 1)).unwrap(), first);
    assert_eq!(money_taken(&db), 10_000);
}

#[test]
fn done_answers_every_round() {
    let db = bank();
    let first = charge(&db, &of(good(), 2)).unwrap();
    assert_eq!(charge(&db, &of(good(), 1)).unwrap(), first);
    assert_eq!(charge(&db, &of(good(), 3)).unwrap(), first);
    assert_eq!(money_taken(&db), 10_000);
}

#[test]
fn other_bytes_under_the_same_key_and_round_are_a_conflict() {
    let db = bank();
    charge(&db, &of(good(), 1)).unwrap();
    let other = Charge { amount: Cents(10_001), ..of(good(), 1) };
    assert_eq!(charge(&db, &other).unwrap(), Verdict::Conflict);
    assert_eq!(money_taken(&db), 10_000);
}

#[test]
fn a_refusal_is_repeated_in_its_round_and_tried_anew_in_the_next() {
    let db = bank();
    let refused = charge(&db, &of(broke(), 1)).unwrap();
    assert_eq!(code(refused.clone()), "declined");
    assert_eq!(charge(&db, &of(broke(), 1)).unwrap(), refused);
    let next = Charge { trip: good(), ..of(broke(), 2) };
    assert_eq!(charge(&db, &next).unwrap(), Verdict::Done("pay-1".into()));
}

#[test]
fn a_round_lower_than_the_highest_is_refused() {
    let db = bank();
    charge(&db, &of(broke(), 2)).unwrap();
    assert_eq!(code(charge(&db, &of(good(), 1)).unwrap()), "superseded");
    assert_eq!(money_taken(&db), 0);
}

#[test]
fn a_void_before_the_charge_bars_every_round() {
    let db = bank();
    assert_eq!(void(&db, &key()).unwrap(), Verdict::Voided);
    assert_eq!(void(&db, &key()).unwrap(), Verdict::Voided);
    for round in 1..4 {
        assert_eq!(code(charge(&db, &of(good(), round)).unwrap()), "voided");
    }
    assert_eq!(probe(&db, &key()).unwrap(), Verdict::NotKnown);
    assert_eq!(money_taken(&db), 0);
}

#[test]
fn a_void_after_the_charge_says_that_it_is_done() {
    let db = bank();
    charge(&db, &of(good(), 1)).unwrap();
    assert_eq!(void(&db, &key()).unwrap(), Verdict::Done("pay-1".into()));
    assert_eq!(probe(&db, &key()).unwrap(), Verdict::Done("pay-1".into()));
}

#[test]
fn a_probe_never_takes_a_refusal_for_the_end() {
    let db = bank();
    charge(&db, &of(broke(), 1)).unwrap();
    assert_eq!(probe(&db, &key()).unwrap(), Verdict::NotKnown);
}
