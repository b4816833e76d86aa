//! Owners that overlap: CX1, CX2, CX4, CX22.

use palinode::machine::fold::{Dead, What};

use crate::trace::*;

/// One node runs twice. With an id for each attempt, the second incarnation's claim dies, and were it to write all the
/// same, its commit stops every reader instead of counting on a state it never saw.
#[test]
fn cx1_a_second_incarnation_of_a_node_has_another_claim() {
    let mut trace = Trace::begin();
    trace.counts(&[&claim(1, 0xa0)]);
    assert_eq!(trace.land(&claim(1, 0xa1)), Fate::Dead(Dead::LateClaim));
    let (first, begin) = (commit(1, 0xa0, 1, &genesis(id(1)), 1), genesis(id(1)));
    trace.counts(&[&first]);

    let of_the_second = commit(1, 0xa1, 2, &commit(1, 0xa1, 1, &begin, 5), 6);
    assert!(matches!(trace.land(&of_the_second), Fate::Stops(What::OtherClaim { .. })));
}

/// The same with the node's id as claim id: the terms, claims and numbers all fit. The parent does not.
#[test]
fn cx1_a_commit_on_a_state_its_owner_never_saw_names_another_parent() {
    let mut trace = Trace::begin();
    let of_a0 = commit(1, 0xa, 1, &genesis(id(1)), 1);
    let lost_of_a1 = commit(1, 0xa, 1, &genesis(id(1)), 2);
    trace.counts(&[&claim(1, 0xa), &of_a0]);
    assert!(matches!(trace.land(&commit(1, 0xa, 2, &lost_of_a1, 3)), Fate::Stops(What::OtherParent { .. })));
}

/// The first of two commits in flight is lost: the second is dead although it lies right behind the proven record.
#[test]
fn cx2_the_next_offset_is_no_proof_while_the_number_before_is_not_proven() {
    let mut trace = Trace::begin();
    trace.counts(&[&claim(1, 0xa)]);
    let lost = commit(1, 0xa, 1, &genesis(id(1)), 1);
    let proven = trace.position();
    assert_eq!(trace.land(&commit(1, 0xa, 2, &lost, 2)), Fate::Dead(Dead::Orphaned));
    assert_eq!(trace.position(), proven);
    // Landing late, the first counts; the second must be written again to count.
    trace.counts(&[&lost, &commit(1, 0xa, 2, &lost, 2)]);
}

/// The slow claim of a member that is out lands first: the other's is dead, but claiming again is always possible.
#[test]
fn cx4_after_a_dead_claim_the_next_term_is_free() {
    let mut trace = Trace::begin();
    trace.counts(&[&claim(1, 0x2)]);
    assert_eq!(trace.land(&claim(1, 0xa)), Fate::Dead(Dead::LateClaim));
    trace.counts(&[&claim(2, 0xa1), &commit(2, 0xa1, 1, &genesis(id(1)), 1)]);
}

/// An owner's commit from before its second claim lands right behind that claim, with the number the owner waits for.
/// It is dead: its report, matched by number alone, would prove another commit.
#[test]
fn cx22_the_same_number_at_the_next_offset_may_be_of_an_older_claim() {
    let mut trace = Trace::begin();
    let late = commit(1, 0xa, 1, &genesis(id(1)), 1);
    trace.counts(&[&claim(1, 0xa), &claim(2, 0xb)]);
    assert_eq!(trace.land(&late), Fate::Dead(Dead::LateCommit));
    trace.counts(&[&commit(2, 0xb, 1, &genesis(id(1)), 2)]);
}
