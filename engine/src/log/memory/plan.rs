//! The plan of one append, drawn when it is called: which of its records land when, what is answered, and when. Pure.
//!
//! | fate | lands | answer |
//! |---|---|---|
//! | refused | never | refused |
//! | lost | never | unknown |
//! | reply lost | soon | unknown |
//! | late | after the answer | unknown |
//! | doubled | soon, and once more | unknown |
//! | partly | each record: never, soon, late or twice | unknown |
//! | any other | soon, perhaps in two pieces | appended, perhaps without offsets |

use std::{ops::Range, time::Duration};

use super::{chance::Chance, faults::Faults};

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Say {
    /// With offsets, or without.
    Appended {
        /// Whether the offset of each record is told.
        offsets: bool,
    },
    Refused,
    Unknown,
}

/// Some records of an append that land together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) after: Duration,
    pub(super) records: Range<usize>,
    /// A copy: later appends of the same producer need not wait for it.
    pub(super) stray: bool,
}

/// What becomes of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) pieces: Vec<Piece>,
    pub(super) say: Say,
    pub(super) say_after: Duration,
}

/// What the next append of a member is to meet, whatever the rates say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It lands and is answered only when it is released.
    Hold,
    /// It is unknown at once, and lands when it is released.
    Late,
    /// It is unknown at once, and never lands.
    Lose,
    /// It lands, and is unknown.
    LoseReply,
    /// It lands twice, and is unknown.
    Double,
    /// It is refused.
    Refuse,
    /// It lands, and nobody says where.
    HideOffsets,
}

impl Plan {
    /// What a script says. `Hold` and `Late` land nothing by themselves.
    pub(super) fn scripted(next: Next, records: usize) -> Self {
        let once = || vec![piece(Duration::ZERO, 0..records)];
        let copy = || Piece { stray: true, ..piece(Duration::ZERO, 0..records) };
        let (pieces, say) = match next {
            Next::Hold => (Vec::new(), Say::Appended { offsets: true }),
            Next::Late | Next::Lose => (Vec::new(), Say::Unknown),
            Next::LoseReply => (once(), Say::Unknown),
            Next::Double => (once().into_iter().chain([copy()]).collect(), Say::Unknown),
            Next::Refuse => (Vec::new(), Say::Refused),
            Next::HideOffsets => (once(), Say::Appended { offsets: false }),
        };
        Self { pieces, say, say_after: Duration::ZERO }
    }

    /// Draws one.
    pub(super) fn draw(chance: &mut Chance, faults: &Faults, records: usize) -> Self {
        let soon = chance.within(faults.latency);
        let unknown = |pieces| Self { pieces, say: Say::Unknown, say_after: faults.timeout.max(soon) };
        let all = 0..records;
        let mut left = chance.below(1_000);
        let mut is = |rate: u32| {
            let hit = left < u64::from(rate);
            left = if hit { u64::MAX } else { left.saturating_sub(rate.into()) };
            hit
        };
        if is(faults.refused) {
            Self { pieces: Vec::new(), say: Say::Refused, say_after: soon }
        } else if is(faults.lost) {
            unknown(Vec::new())
        } else if is(faults.lost_reply) {
            unknown(vec![piece(soon, all)])
        } else if is(faults.late) {
            unknown(vec![piece(faults.timeout + chance.within(faults.lateness), all)])
        } else if is(faults.doubled) {
            let again = soon + chance.within(faults.timeout + faults.lateness);
            unknown(vec![piece(soon, all.clone()), Piece { stray: true, ..piece(again, all) }])
        } else if is(faults.partly) {
            unknown(partly(chance, faults, soon, records))
        } else {
            landed(chance, faults, soon, records)
        }
    }
}

fn landed(chance: &mut Chance, faults: &Faults, soon: Duration, records: usize) -> Plan {
    let say = Say::Appended { offsets: !chance.hits(faults.no_offset) };
    if records < 2 || !chance.hits(faults.split) {
        return Plan { pieces: vec![piece(soon, 0..records)], say, say_after: soon };
    }
    let cut = 1 + usize::try_from(chance.below(records as u64 - 1)).unwrap_or(0);
    let then = soon + chance.within(faults.latency);
    Plan { pieces: vec![piece(soon, 0..cut), piece(then, cut..records)], say, say_after: then }
}

fn partly(chance: &mut Chance, faults: &Faults, soon: Duration, records: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut after = soon;
    for nth in 0..records {
        let one = nth..nth + 1;
        match chance.below(4) {
            0 => continue,
            1 => {}
            2 => after = after.max(faults.timeout + chance.within(faults.lateness)),
            _ => {
                let again = after + chance.within(faults.timeout);
                pieces.push(Piece { stray: true, ..piece(again, one.clone()) });
            }
        }
        // What one producer sends lands in order, whatever is missing.
        pieces.push(piece(after, one));
    }
    pieces
}

fn piece(after: Duration, records: Range<usize>) -> Piece {
    Piece { after, records, stray: false }
}
