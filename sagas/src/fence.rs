//! What a participant outside the log needs: it is called at least once, late, and perhaps its undo first. The fence is
//! a table in the participant's own database, changed in the transaction of the effect. Here is the decision, which
//! knows no database, and the text of the SQL; `fence/sqlite.rs` joins the two.
//!
//! # The contract of a participant
//!
//! 1. Same key and round: same effect and answer. Other bytes under them are a conflict. Two calls at the same moment
//!    wait for each other: the transaction takes its write lock before it reads the fence.
//! 2. A new round is a new try after a definite refusal, never answered with the refusal of an earlier one. *Done* in
//!    any round answers all rounds.
//! 3. Undo before do leaves a tombstone over all rounds, which refuses a late do.
//! 4. Undo is idempotent; nothing to undo is *done*.
//! 5. A refusal leaves nothing behind but its row. A lower round than the highest seen is refused.
//! 6. Effect, row and answer are one transaction.
//! 7. Rows outlive the longest saga.
//!
//! | seen so far, of this node | do | undo |
//! |---|---|---|
//! | nothing | execute | nothing to undo |
//! | do done | answer | execute |
//! | do refused in a round | answer in it, refuse in a lower one, execute in a higher one | nothing to undo |
//! | undo done | tombstoned | answer |
//! | undo refused in a round | by the rows of the do | answer in it, refuse in a lower one, as without it in a higher one |

//!
//! A pivot in doubt is settled by the same rows. A probe writes nothing, because it can prove nothing; a void leaves the
//! tombstone that an undo before the do would leave, so no attempt that is still on its way can have an effect:
//!
//! | seen so far, of this node | probe | void |
//! |---|---|---|
//! | do done | happened | done, with its answer |
//! | undo done | not known | never |
//! | anything else | not known | never, and a tombstone is written |

use std::sync::Arc;

use palinode::{Attempt, Digest, Failure};
use serde::Serialize;

use crate::event::Direction;

#[cfg(feature = "sqlite")]
pub mod sqlite;

/// Makes the table.
pub const CREATE: &str = "\
CREATE TABLE IF NOT EXISTS palinode_fence (
  saga TEXT NOT NULL,
  node TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('do', 'undo')),
  round INTEGER NOT NULL CHECK (round >= 1),
  request_digest TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
  answer TEXT NOT NULL,
  PRIMARY KEY (saga, node, direction, round)
) STRICT, WITHOUT ROWID";

/// Reads what was seen of a node: parameters saga, node.
pub const SELECT: &str = "\
SELECT direction, round, request_digest, outcome, answer FROM palinode_fence WHERE saga = ?1 AND node = ?2";

/// Records what became of a call: parameters saga, node, direction, round, digest, outcome, answer.
pub const INSERT: &str = "\
INSERT INTO palinode_fence (saga, node, direction, round, request_digest, outcome, answer)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// What a call is about, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The instance, as `service/kind/id`.
    pub saga: Arc<str>,
    /// The node's path.
    pub node: Arc<str>,
    /// The ask, or its undo.
    pub direction: Direction,
    /// The round.
    pub round: u32,
    /// Digest of the request's JSON.
    pub digest: Digest,
}

/// What was seen of a node before: a row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The ask, or its undo.
    pub direction: Direction,
    /// The round.
    pub round: u32,
    /// Digest of the request.
    pub digest: Digest,
    /// What became of it.
    pub outcome: Stored,
    /// The reply, or the refusal, as JSON.
    pub answer: String,
}

/// A definite outcome: there is no row for anything else, because it was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Done, with its reply.
    Done,
    /// Refused.
    Refused,
}

/// What is to be done with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Do it, and record the outcome in the same transaction.
    Execute,
    /// It was never done: do nothing, and record `done`. That row is the tombstone.
    NothingToUndo,
    /// It is settled: give the stored answer.
    Answer(Stored, String),
    /// It was undone: a late do is refused.
    Tombstoned,
    /// A higher round was seen.
    LowerRound,
    /// The same key and round came with other bytes.
    Conflict,
}

impl Call {
    /// The call of an attempt. A key that is no effect key of a saga is taken as a do of its own.
    ///
    /// # Errors
    /// When the request cannot be written as JSON.
    pub fn of(attempt: &Attempt, request: &impl Serialize) -> Result<Self, serde_json::Error> {
        let parts = attempt.key.rsplit_once('/');
        let known = parts.and_then(|(node, word)| Some((node, Direction::of(word)?)));
        let (node, direction) = known.unwrap_or((&attempt.key, Direction::Do));
        Ok(Self {
            saga: attempt.entity.to_string().into(),
            node: node.into(),
            direction,
            round: attempt.round,
            digest: Digest::of(&serde_json::to_vec(request)?),
        })
    }
}

/// Decides a call by everything seen of its node.
#[must_use]
pub fn judge(seen: &[Seen], call: &Call) -> Verdict {
    let same_way = |row: &&Seen| row.direction == call.direction;
    let undone = seen.iter().any(|r| r.direction == Direction::Undo && r.outcome == Stored::Done);
    if call.direction == Direction::Do && undone {
        return Verdict::Tombstoned;
    }
    let this = seen.iter().filter(same_way).find(|row| row.round == call.round);
    if this.is_some_and(|row| row.digest != call.digest) {
        return Verdict::Conflict;
    }
    let done = seen.iter().filter(same_way).find(|row| row.outcome == Stored::Done);
    if let Some(row) = done.or(this) {
        return Verdict::Answer(row.outcome, row.answer.clone());
    }
    if seen.iter().filter(same_way).any(|row| row.round > call.round) {
        return Verdict::LowerRound;
    }
    let was_done = seen.iter().any(|r| r.direction == Direction::Do && r.outcome == Stored::Done);
    if call.direction == Direction::Undo && !was_done { Verdict::NothingToUndo } else { Verdict::Execute }
}

/// What was seen of a pivot in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InDoubt {
    /// It was done, with this answer.
    Done(String),
    /// A tombstone refuses it.
    Tombstoned,
    /// Neither: an attempt may still land. A void writes the tombstone in this round of the undo.
    Open {
        /// The round.
        round: u32,
    },
}

/// Decides a probe or a void by everything seen of its node.
#[must_use]
pub fn settle(seen: &[Seen]) -> InDoubt {
    let done = |direction| seen.iter().find(|r| r.direction == direction && r.outcome == Stored::Done);
    if done(Direction::Undo).is_some() {
        return InDoubt::Tombstoned;
    }
    if let Some(row) = done(Direction::Do) {
        return InDoubt::Done(row.answer.clone());
    }
    let undos = seen.iter().filter(|row| row.direction == Direction::Undo);
    InDoubt::Open { round: undos.map(|row| row.round).max().unwrap_or(0).saturating_add(1) }
}

impl Verdict {
    /// What an activity answers with when the verdict itself is a no.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Tombstoned => {
                Some(Failure::refused("tombstoned", "it was undone before: a late do is refused"))
            }
            Self::LowerRound => Some(Failure::refused("lower_round", "a higher round was seen")),
            Self::Conflict => Some(Failure::Fatal("the same key and round came with another request".into())),
            Self::Execute | Self::NothingToUndo | Self::Answer(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(direction: Direction, round: u32, request: &str) -> Call {
        let digest = Digest::of(request.as_bytes());
        Call { saga: "trip/book-trip/1".into(), node: "pay".into(), direction, round, digest }
    }

    fn row(direction: Direction, round: u32, request: &str, outcome: Stored) -> Seen {
        let digest = Digest::of(request.as_bytes());
        Seen { direction, round, digest, outcome, answer: format!("{request}:{round}") }
    }

    use Direction::{Do, Undo};
    use Stored::{Done, Refused};

    #[test]
    fn rule_1_the_same_key_gives_the_same_answer_and_other_bytes_are_a_conflict() {
        let seen = [row(Do, 1, "a", Done)];
        assert_eq!(judge(&[], &call(Do, 1, "a")), Verdict::Execute);
        assert_eq!(judge(&seen, &call(Do, 1, "a")), Verdict::Answer(Done, "a:1".into()));
        assert_eq!(judge(&seen, &call(Do, 1, "b")), Verdict::Conflict);
    }

    #[test]
    fn rule_2_a_new_round_is_a_new_try_and_done_answers_all_rounds() {
        let refused = [row(Do, 1, "a", Refused)];
        assert_eq!(judge(&refused, &call(Do, 1, "a")), Verdict::Answer(Refused, "a:1".into()));
        assert_eq!(judge(&refused, &call(Do, 2, "b")), Verdict::Execute);
        let done = [row(Do, 1, "a", Refused), row(Do, 2, "b", Done)];
        for round in [1, 2, 3] {
            let request = if round == 1 { "a" } else { "b" };
            assert_eq!(judge(&done, &call(Do, round, request)), Verdict::Answer(Done, "b:2".into()));
        }
    }

    #[test]
    fn rule_3_an_undo_before_the_do_refuses_the_do_in_every_round() {
        assert_eq!(judge(&[], &call(Undo, 1, "u")), Verdict::NothingToUndo);
        let tombstone = [row(Undo, 1, "u", Done)];
        for round in [1, 2, 9] {
            assert_eq!(judge(&tombstone, &call(Do, round, "a")), Verdict::Tombstoned);
        }
        let undone = [row(Do, 1, "a", Done), row(Undo, 1, "u", Done)];
        assert_eq!(judge(&undone, &call(Do, 1, "a")), Verdict::Tombstoned);
    }

    #[test]
    fn rule_4_an_undo_is_idempotent_and_nothing_to_undo_is_done() {
        let undone = [row(Do, 1, "a", Done), row(Undo, 1, "u", Done)];
        assert_eq!(judge(&undone[..1], &call(Undo, 1, "u")), Verdict::Execute);
        assert_eq!(judge(&undone, &call(Undo, 1, "u")), Verdict::Answer(Done, "u:1".into()));
        assert_eq!(judge(&undone, &call(Undo, 2, "u")), Verdict::Answer(Done, "u:1".into()));
        assert_eq!(judge(&[row(Do, 1, "a", Refused)], &call(Undo, 1, "u")), Verdict::NothingToUndo);
    }

    #[test]
    fn rule_5_a_lower_round_than_the_highest_seen_is_refused() {
        let seen = [row(Do, 3, "a", Refused)];
        assert_eq!(judge(&seen, &call(Do, 2, "a")), Verdict::LowerRound);
        assert_eq!(judge(&seen, &call(Do, 4, "a")), Verdict::Execute);
        let seen = [row(Do, 1, "a", Done), row(Undo, 2, "u", Refused)];
        assert_eq!(judge(&seen, &call(Undo, 1, "u")), Verdict::LowerRound);
        assert_eq!(judge(&seen, &call(Undo, 3, "u")), Verdict::Execute);
    }

    #[test]
    fn cx27_only_a_tombstone_says_never() {
        // a probe that finds nothing proves nothing: the attempt may land after it
        assert_eq!(settle(&[]), InDoubt::Open { round: 1 });
        assert_eq!(settle(&[row(Do, 1, "a", Refused)]), InDoubt::Open { round: 1 });
        assert_eq!(settle(&[row(Do, 2, "a", Done)]), InDoubt::Done("a:2".into()));
        // a void leaves what an undo before the do would leave
        let tombstone = [row(Undo, 1, "v", Done)];
        assert_eq!(settle(&tombstone), InDoubt::Tombstoned);
        for round in [1, 2, 9] {
            assert_eq!(judge(&tombstone, &call(Do, round, "a")), Verdict::Tombstoned);
        }
        assert_eq!(settle(&[row(Undo, 3, "u", Refused)]), InDoubt::Open { round: 4 });
    }

    #[test]
    fn a_no_of_the_fence_is_a_no_of_the_activity() {
        let code = |v: Verdict| match v.failure() {
            Some(Failure::Refused { code, .. }) => code.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(code(Verdict::Tombstoned), "tombstoned");
        assert_eq!(code(Verdict::LowerRound), "lower_round");
        assert!(code(Verdict::Conflict).contains("Fatal"));
        assert_eq!(code(Verdict::Execute), "None");
    }
}
