//! One owner of the model: claims, commits in flight, reports. The rules an owner must keep, each of which can be left
//! out.
//!
//! | phase | input | next |
//! |---|---|---|
//! | idle | reads to the end | claiming: its claim is under way |
//! | claiming | meets its claim, and it counted | working, from that record on |
//! | claiming | meets its claim, and it is dead | idle |
//! | working | a command | one more commit in flight |
//! | working | a report | its commits proven in order; or one found dead: everything dropped, idle |
//! | any | crash, or a deadline | idle, and knows nothing; what it sent may still land |

use std::collections::BTreeSet;

use crate::judge::{At, Judged, LeftOut, Rec, digest};

/// A record that landed, as all readers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Landed {
    pub(crate) rec: Rec,
    pub(crate) judged: Judged,
    /// The place after it.
    pub(crate) after: At,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) id: u8,
    pub(crate) phase: Phase,
    pub(crate) claims: u8,
    pub(crate) commits: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Idle,
    Claiming { term: u8, claim: u8 },
    Working(Work),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Work {
    term: u8,
    claim: u8,
    /// Offset of the last proven record; its own claim at first.
    proven: usize,
    /// What the next commit stands on: number, digest, content.
    tip: (u8, u64, u8),
    pub(crate) pending: Vec<Pending>,
}

/// A commit in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    pseq: u8,
    content: u8,
    offset: Option<usize>,
}

impl Owner {
    pub(crate) fn new(id: u8) -> Self {
        Self { id, phase: Phase::Idle, claims: 0, commits: 0 }
    }

    /// Reads to the end and claims the next term. Owners 0 and 1 are incarnations of one node.
    pub(crate) fn claim(&mut self, left_out: LeftOut, end: At) -> Rec {
        self.claims += 1;
        let claim = match left_out {
            LeftOut::ClaimPerAttempt => 100 + self.id / 2,
            _ => 10 * (self.id + 1) + self.claims,
        };
        let term = end.term + 1;
        self.phase = Phase::Claiming { term, claim };
        Rec::Claim { owner: self.id, term, claim }
    }

    /// Reads until it meets its claim; false while that is not there.
    pub(crate) fn meet(&mut self, left_out: LeftOut, log: &[Landed]) -> bool {
        let Phase::Claiming { term, claim } = self.phase else { return false };
        let own = |landed: &Landed| match landed.rec {
            Rec::Claim { term: t, .. } if left_out == LeftOut::ClaimCompared => t == term,
            Rec::Claim { term: t, claim: c, .. } => (t, c) == (term, claim),
            Rec::Commit { .. } => false,
        };
        let Some(proven) = log.iter().position(own) else { return false };
        let Landed { judged, after, .. } = log[proven];
        self.phase = match judged {
            Judged::Counts => {
                let tip = (after.pseq, after.digest, after.content);
                Phase::Working(Work { term, claim, proven, tip, pending: Vec::new() })
            }
            _ => Phase::Idle,
        };
        true
    }

    /// Decides a command on top of what is in flight.
    pub(crate) fn commit(&mut self) -> Option<Rec> {
        let content = 10 * (self.id + 1) + self.commits + 1;
        let Phase::Working(work) = &mut self.phase else { return None };
        let (pseq, prev, base) = work.tip;
        let pseq = pseq + 1;
        let rec =
            Rec::Commit { owner: self.id, term: work.term, claim: work.claim, pseq, prev, content, base };
        work.tip = (pseq, digest(rec), content);
        work.pending.push(Pending { pseq, content, offset: None });
        self.commits += 1;
        Some(rec)
    }

    /// Hears where one of its commits landed; answers what is proven by that. False when nobody waits for it.
    pub(crate) fn report(
        &mut self,
        left_out: LeftOut,
        offset: usize,
        log: &[Landed],
        acknowledged: &mut BTreeSet<u8>,
    ) -> bool {
        let Phase::Working(work) = &mut self.phase else { return false };
        let Rec::Commit { claim, pseq, .. } = log[offset].rec else { return false };
        let known = claim == work.claim || left_out == LeftOut::ReportClaim;
        let Some(index) = work.pending.iter().position(|p| known && p.pseq == pseq && p.offset.is_none())
        else {
            return false;
        };
        work.pending[index].offset = Some(offset);
        if left_out == LeftOut::NumberOrder && offset == work.proven + 1 {
            acknowledged.insert(work.pending.remove(index).content);
            work.proven = offset;
            return true;
        }
        if !work.prove(left_out, log, acknowledged) {
            self.phase = Phase::Idle;
        }
        true
    }
}

impl Work {
    /// Proves what can be, in the order of numbers; false when a commit turns out dead.
    fn prove(&mut self, left_out: LeftOut, log: &[Landed], acknowledged: &mut BTreeSet<u8>) -> bool {
        while let Some(Pending { pseq, content, offset: Some(offset) }) = self.pending.first().copied() {
            let proof = if offset == self.proven + 1 || left_out == LeftOut::GapRead {
                Some(offset)
            } else {
                self.read(log, offset, pseq)
            };
            let Some(proven) = proof else { return false };
            self.proven = proven;
            self.pending.remove(0);
            acknowledged.insert(content);
        }
        true
    }

    /// Reads the gap: where its own commit became effective.
    fn read(&self, log: &[Landed], upto: usize, pseq: u8) -> Option<usize> {
        let own = |landed: &Landed| match landed.rec {
            Rec::Commit { claim, pseq: p, .. } => {
                landed.judged == Judged::Counts && (claim, p) == (self.claim, pseq)
            }
            Rec::Claim { .. } => false,
        };
        (self.proven + 1..=upto).find(|i| own(&log[*i]))
    }
}
