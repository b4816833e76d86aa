//! What a room type does, told as given/when/then.

use super::*;
use crate::domain::given::given;

const ROOM: &str = "resort/P"; // two rooms
const ANA: TripId = TripId(1);
const RUI: TripId = TripId(2);
const EVA: TripId = TripId(3);

fn day(n: u16) -> Day {
    Day::of(2015, 7, 1).unwrap().plus(n)
}

fn hold(trip: TripId, first: u16, nights: u16) -> RoomCommand {
    RoomCommand::Hold { trip, first: day(first), nights, rate: Cents(5_000) }
}

fn held(trip: TripId, first: u16, nights: u16) -> RoomEvent {
    RoomEvent::Held { trip, first: day(first), nights, rate: Cents(5_000) }
}

fn release(trip: TripId) -> RoomCommand {
    RoomCommand::Release { trip }
}

/// Released, giving back nights or having had none.
fn released(trip: TripId, freed: Option<(u16, u16)>) -> RoomEvent {
    let freed = freed.map(|(first, nights)| Nights { first: day(first), nights });
    RoomEvent::Released { trip, freed }
}

fn confirm(trip: TripId) -> RoomCommand {
    RoomCommand::Confirm { trip }
}

#[test]
fn a_stay_is_held_and_priced() {
    given::<RoomType>(ROOM, &[])
        .when(&hold(ANA, 0, 3))
        .then(&[held(ANA, 0, 3)])
        .replies(&hold(ANA, 0, 3), &RoomHeld { price: Cents(15_000) });
}

#[test]
fn one_full_night_refuses_the_whole_stay() {
    let full = [held(ANA, 2, 1), held(RUI, 1, 2)];
    given::<RoomType>(ROOM, &full)
        .when(&hold(EVA, 0, 4))
        .then_rejected(&RoomRejection::Full { night: day(2), rooms: 2 })
        .when(&hold(EVA, 0, 2))
        .then(&[held(EVA, 0, 2)]);
}

#[test]
fn the_same_trip_is_never_held_twice() {
    given::<RoomType>(ROOM, &[held(ANA, 0, 1)]).when(&hold(ANA, 0, 1)).then_nothing();
    given::<RoomType>(ROOM, &[held(ANA, 0, 1), RoomEvent::Confirmed { trip: ANA }])
        .when(&hold(ANA, 0, 1))
        .then_nothing();
}

#[test]
fn a_release_frees_every_night_once() {
    given::<RoomType>(ROOM, &[held(ANA, 0, 2), held(RUI, 0, 2)])
        .when(&release(ANA))
        .then(&[released(ANA, Some((0, 2)))])
        .replies(&release(ANA), &RoomHeld { price: Cents(0) })
        .when(&release(ANA))
        .then_nothing()
        .when(&hold(EVA, 0, 2))
        .then(&[held(EVA, 0, 2)])
        .when(&hold(TripId(4), 0, 1))
        .then_rejected(&RoomRejection::Full { night: day(0), rooms: 2 });
}

#[test]
fn a_release_before_the_hold_is_done_and_bars_the_hold() {
    given::<RoomType>(ROOM, &[])
        .when(&release(ANA))
        .then(&[released(ANA, None)])
        .when(&hold(ANA, 0, 1))
        .then_rejected(&RoomRejection::Released);
}

#[test]
fn a_release_of_a_refused_hold_is_done() {
    given::<RoomType>(ROOM, &[held(RUI, 0, 1), held(EVA, 0, 1)])
        .when(&hold(ANA, 0, 1))
        .then_rejected(&RoomRejection::Full { night: day(0), rooms: 2 })
        .when(&release(ANA))
        .then(&[released(ANA, None)]);
}

#[test]
fn a_confirmation_after_a_hold_is_never_refused() {
    given::<RoomType>(ROOM, &[held(ANA, 0, 1)])
        .when(&confirm(ANA))
        .then(&[RoomEvent::Confirmed { trip: ANA }])
        .replies(&confirm(ANA), &RoomHeld { price: Cents(5_000) })
        .when(&confirm(ANA))
        .then_nothing();
}

#[test]
fn a_confirmation_of_nothing_is_refused() {
    given::<RoomType>(ROOM, &[]).when(&confirm(ANA)).then_rejected(&RoomRejection::NotHeld);
    given::<RoomType>(ROOM, &[held(ANA, 0, 1), released(ANA, Some((0, 1)))])
        .when(&confirm(ANA))
        .then_rejected(&RoomRejection::NotHeld);
}

#[test]
fn a_stay_without_nights_or_of_more_than_a_year_is_refused() {
    for nights in [0, MAX_NIGHTS + 1] {
        given::<RoomType>(ROOM, &[])
            .when(&hold(ANA, 0, nights))
            .then_rejected(&RoomRejection::BadStay { nights });
    }
}

#[test]
fn a_stay_past_the_last_day_is_refused_and_one_up_to_it_is_saved_and_read_back() {
    let last = Day::of(9999, 12, 31).unwrap();
    let hold = |first, nights| RoomCommand::Hold { trip: ANA, first, nights, rate: Cents(1) };
    given::<RoomType>(ROOM, &[])
        .when(&hold(last, 2))
        .then_rejected(&RoomRejection::TooLate { first: last })
        .when(&hold(last, 1))
        .then(&[RoomEvent::Held { trip: ANA, first: last, nights: 1, rate: Cents(1) }]);

    let mut rooms = RoomType::default();
    rooms.evolve(&RoomEvent::Held { trip: ANA, first: last, nights: 1, rate: Cents(1) });
    let saved = serde_json::to_string(&rooms).unwrap();
    assert_eq!(serde_json::from_str::<RoomType>(&saved).unwrap(), rooms);
}

#[test]
fn the_saved_state_is_small_and_reads_back() {
    let mut rooms = RoomType::default();
    rooms.evolve(&held(ANA, 0, 2));
    rooms.evolve(&RoomEvent::Confirmed { trip: ANA });
    rooms.evolve(&released(RUI, None));
    let saved = serde_json::to_string(&rooms).unwrap();
    assert_eq!(
        saved,
        r#"{"stays":{"held":{},"confirmed":{"0000000000000001":["2015-07-01",2,5000]},"released":["0000000000000002"]},"taken":{"2015-07-01":1,"2015-07-02":1}}"#
    );
    assert_eq!(serde_json::from_str::<RoomType>(&saved).unwrap(), rooms);
}
