//! Logs that are newer, damaged, created twice, restored or truncated: CX3, CX5, CX6, CX28.

use palinode::{
    Record,
    codec::Unreadable,
    machine::fold::{Dead, Fold, What, matches},
    time::Micros,
};

use crate::trace::*;

/// A commit in a newer format is never dead: an old build stops there, and so cannot bury it under a claim of its own.
#[test]
fn cx3_a_record_of_a_newer_format_stops_an_old_build() {
    let mut trace = Trace::begin();
    let newer = Record { mark: Some(2), ..commit(1, 0xa, 1, &genesis(id(1)), 1) };
    trace.counts(&[&claim(1, 0xa)]);
    assert_eq!(trace.land(&newer), Fate::Stops(What::Unreadable(Unreadable::Newer { found: 2 })));
    assert_eq!(trace.fold.next_offset(), 2, "it reads that record again, and no further");
}

#[test]
fn cx3_a_record_of_ours_that_cannot_be_read_stops_every_build() {
    let good = commit(1, 0xa, 1, &genesis(id(1)), 1);
    let damaged = Record { crc: Some(0), ..good.clone() };
    let unknown = Record::ours("".into(), br#"{"t":"compact","term":1}"#.to_vec(), Micros(0));
    let garbage = Record::ours("".into(), b"\xff\x00".to_vec(), Micros(0));
    for record in [damaged, unknown, garbage, Record { crc: None, ..good }] {
        let mut trace = Trace::begin();
        trace.counts(&[&claim(1, 0xa)]);
        assert!(matches!(trace.land(&record), Fate::Stops(What::Unreadable(_))), "{record:?}");
    }
}

/// Two nodes create the log: one is first on partition 0, the other on partition 1.
#[test]
fn cx5_partitions_of_two_logs_are_refused() {
    let zero = Trace::begin();
    let mut one = Fold::start(1, expected(Some(zero.position().log_id)));
    let refused = one.take(0, &genesis(id(2))).unwrap_err();
    assert!(matches!(refused.what, What::OtherGenesis { .. }), "{refused}");
}

#[test]
fn cx5_the_loser_of_a_race_to_create_is_seen_on_the_same_partition() {
    let mut trace = Trace::begin();
    assert_eq!(trace.land(&genesis(id(1))), Fate::Dead(Dead::GenesisAgain));
    assert!(matches!(trace.land(&genesis(id(2))), Fate::Stops(What::OtherGenesis { .. })));
}

/// A log of `n` commits under claim 0xa, each of this content.
fn grown(contents: &[i64]) -> Trace {
    let mut trace = Trace::begin();
    let mut parent = genesis(id(1));
    trace.counts(&[&claim(1, 0xa)]);
    for (pseq, content) in (1..).zip(contents) {
        parent = commit(1, 0xa, pseq, &parent, *content);
        trace.counts(&[&parent]);
    }
    trace
}

/// A checkpoint at commit 4; the log is restored to commit 2 and grows past 4 again: same genesis, same numbers.
#[test]
fn cx6_a_checkpoint_of_a_log_that_was_restored_is_refused() {
    let position = grown(&[1, 2, 3, 4]).position();
    let restored = grown(&[1, 2, 30, 40, 50]);
    let there = &restored.records[usize::try_from(position.offset).unwrap()];
    let why = matches(&position, there).unwrap_err();
    assert!(why.contains("commit 4") && why.contains(&position.digest.to_string()), "{why}");

    let same = grown(&[1, 2, 3, 4, 5]);
    assert_eq!(matches(&position, &same.records[usize::try_from(position.offset).unwrap()]), Ok(()));
}

#[test]
fn cx6_a_checkpoint_at_a_claim_or_at_genesis_is_compared_too() {
    let at_claim = grown(&[]).position();
    assert_eq!(matches(&at_claim, &claim(1, 0xa)), Ok(()));
    assert!(matches(&at_claim, &claim(1, 0xb)).is_err());
    assert!(matches(&at_claim, &commit(1, 0xa, 1, &genesis(id(1)), 1)).is_err());
    let at_genesis = Trace::begin().position();
    assert_eq!(matches(&at_genesis, &genesis(id(1))), Ok(()));
    assert!(matches(&at_genesis, &genesis(id(2))).is_err());
}

/// A live reader stands after commit 3; the log is cut back to commit 1 and grows past it.
fn live_reader() -> Trace {
    grown(&[1, 2, 3])
}

#[test]
fn cx28_another_history_of_the_same_claim_stops_a_live_reader() {
    let other = grown(&[1, 20, 30, 40]);
    let mut reader = live_reader();
    assert!(matches!(reader.land(&other.records[5]), Fate::Stops(What::OtherParent { pseq: 4, .. })));
}

#[test]
fn cx28_another_owner_of_the_same_term_stops_a_live_reader() {
    // The cut went back behind the claim: somebody else claimed term 1.
    let mut reader = live_reader();
    assert_eq!(reader.land(&claim(1, 0xb)), Fate::Dead(Dead::LateClaim));
    let first = commit(1, 0xb, 1, &genesis(id(1)), 10);
    assert!(matches!(reader.land(&first), Fate::Stops(What::OtherClaim { .. })));
}

#[test]
fn cx28_a_history_that_ran_ahead_stops_a_live_reader() {
    // Claims of terms 2 and 3 took offsets that this reader had passed.
    assert!(matches!(live_reader().land(&claim(4, 0xd)), Fate::Stops(What::FutureClaim { .. })));
    let ahead = commit(3, 0xc, 1, &genesis(id(1)), 1);
    assert!(matches!(live_reader().land(&ahead), Fate::Stops(What::FutureCommit { .. })));
}

/// A new history of *earlier* terms looks dead to a live reader, as late records do: the fold cannot tell. Reading
/// the record of its own position again can.
#[test]
fn cx28_a_history_of_earlier_terms_is_seen_by_reading_the_position_again() {
    let mut reader = live_reader();
    let newer = commit(2, 0xb, 4, &reader.records[4].clone(), 4);
    reader.counts(&[&claim(2, 0xb), &newer]);
    // Cut back to the first commit, the log goes on under claim 0xa.
    let other = grown(&[1, 20, 30, 40, 50, 60]);
    assert_eq!(reader.land(&other.records[7]), Fate::Dead(Dead::LateCommit));

    let position = reader.position();
    assert!(matches(&position, &other.records[usize::try_from(position.offset).unwrap()]).is_err());
}
