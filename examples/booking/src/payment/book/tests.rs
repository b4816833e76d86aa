//! What a charge is answered, first and again.

use super::*;
use crate::trips::rules::tests::trip_where;

/// The charge of a trip of this many cents.
pub(crate) fn of(trip: TripId, round: u32, cents: u64) -> Charge {
    let call = Call {
        saga: format!("trip/book-trip/{trip}").into(),
        node: "capture-payment".into(),
        direction: Direction::Do,
        round,
        digest: Digest::of(&cents.to_be_bytes()),
    };
    Charge { call, trip, amount: Cents(cents) }
}

fn bank() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    create(&db).unwrap();
    db
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

fn code(answer: std::result::Result<String, Failure>) -> String {
    match answer {
        Err(Failure::Refused { code, .. }) => code.to_string(),
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn the_same_key_and_round_charges_once() {
    let db = bank();
    let first = charge(&db, &of(good(), 1, 100)).unwrap();
    assert_eq!(first, Ok("pay-1".into()));
    assert_eq!(charge(&db, &of(good(), 1, 100)).unwrap(), first);
    assert_eq!(charge(&db, &of(good(), 2, 100)).unwrap(), first, "done answers every round");
    assert_eq!(money_taken(&db), 100);
}

#[test]
fn another_amount_under_the_same_key_and_round_charges_nothing() {
    let db = bank();
    charge(&db, &of(good(), 1, 100)).unwrap().unwrap();
    let answer = charge(&db, &of(good(), 1, 200)).unwrap();
    assert!(matches!(answer, Err(Failure::Fatal(_))), "{answer:?}");
    assert_eq!(money_taken(&db), 100);
}

#[test]
fn a_declined_charge_is_declined_again_and_tried_anew_in_the_next_round() {
    let db = bank();
    let declined = charge(&db, &of(broke(), 1, 100)).unwrap();
    assert_eq!(code(declined.clone()), "declined");
    assert_eq!(charge(&db, &of(broke(), 1, 100)).unwrap(), declined);
    let solvent = Charge { trip: good(), ..of(broke(), 2, 100) };
    assert_eq!(charge(&db, &solvent).unwrap(), Ok("pay-1".into()));
}

#[test]
fn a_round_below_the_highest_charges_nothing() {
    let db = bank();
    assert_eq!(code(charge(&db, &of(broke(), 2, 100)).unwrap()), "declined");
    let late = Charge { trip: good(), ..of(broke(), 1, 100) };
    assert_eq!(code(charge(&db, &late).unwrap()), "lower_round");
    assert_eq!(money_taken(&db), 0);
}

#[test]
fn a_charge_after_its_undo_finds_the_tombstone() {
    let db = bank();
    let Charge { call, .. } = of(good(), 1, 100);
    record(&db, &Call { direction: Direction::Undo, ..call }, "done", "").unwrap();
    assert_eq!(code(charge(&db, &of(good(), 1, 100)).unwrap()), "tombstoned");
    assert_eq!(money_taken(&db), 0);
}
