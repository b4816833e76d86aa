//! The contract of parked keys and of the audit trail as a suite: one function a promise, for every adapter. Each
//! promise uses a projection name of its own.

use super::{
    Kept,
    checkpoints::{committed, key},
    same,
};
use crate::{
    checkpoint::{Act, ApplyError, Held, Key, Parked, ReadDb, Said, Transacted},
    time::Micros,
};

/// K1, K2: a key is parked once, and holds an event once.
///
/// # Errors
/// The broken promise.
pub async fn a_key_is_parked_once<D: ReadDb>(db: &D) -> Kept {
    let of = key("parked-once");
    same("before", &parked(db, &of).await?, &vec![])?;
    park(db, &of, &entry("a"), &[at(7, 1)]).await?;
    let again = Parked { attempts: 2, resuming: true, at: Micros(99), ..entry("a") };
    park(db, &of, &again, &[at(7, 1), at(9, 0)]).await?;
    let expected = Parked { attempts: 2, resuming: true, held: 2, first: at(7, 1), ..entry("a") };
    same("what is parked", &parked(db, &of).await?, &vec![expected])
}

/// K2: what is held comes back in the order of the log, whatever the order it was added in.
///
/// # Errors
/// The broken promise.
pub async fn held_events_come_back_in_order<D: ReadDb>(db: &D) -> Kept {
    let of = key("held-in-order");
    park(db, &of, &entry("a"), &[at(300, 2), at(7, 11), at(300, 1)]).await?;
    park(db, &of, &entry("b"), &[at(8, 0)]).await?;
    park(db, &of, &entry("a"), &[at(7, 2)]).await?;
    let all = vec![at(7, 2), at(7, 11), at(300, 1), at(300, 2)];
    same("all of it", &held(db, &of, "a", 10).await?, &all)?;
    same("some of it", &held(db, &of, "a", 2).await?, &all.into_iter().take(2).collect())?;
    same("of a key that holds nothing", &held(db, &of, "c", 2).await?, &vec![])?;
    same("who holds commit 7", &holder(db, &of, 7).await?, &Some("a".into()))?;
    same("who holds commit 8", &holder(db, &of, 8).await?, &Some("b".into()))?;
    same("who holds commit 9", &holder(db, &of, 9).await?, &None)
}

/// K3: a key that holds nothing any more is not parked.
///
/// # Errors
/// The broken promise.
pub async fn a_key_that_holds_nothing_is_free<D: ReadDb>(db: &D) -> Kept {
    let of = key("freed");
    park(db, &of, &entry("a"), &[at(7, 0), at(7, 1), at(9, 0)]).await?;
    same("after the first", &release(db, &of, "a", at(7, 0)).await?, &Some((at(7, 1), 2)))?;
    same("what is left", &held(db, &of, "a", 10).await?, &vec![at(7, 1), at(9, 0)])?;
    same("again", &release(db, &of, "a", at(7, 0)).await?, &Some((at(7, 1), 2)))?;
    same("after the last", &release(db, &of, "a", at(9, 0)).await?, &None)?;
    same("what is parked", &parked(db, &of).await?, &vec![])?;
    same("a key that is not parked", &release(db, &of, "b", at(9, 0)).await?, &None)
}

/// Parked keys of other projections, versions, services and shards are apart.
///
/// # Errors
/// The broken promise.
pub async fn parked_keys_are_apart<D: ReadDb>(db: &D) -> Kept {
    let one = key("parked-apart");
    park(db, &one, &entry("a"), &[at(7, 0)]).await?;
    let others = [
        Key { projection: "parked-apart-too".into(), ..one.clone() },
        Key { version: 2, ..one.clone() },
        Key { service: "hotel".into(), ..one.clone() },
        Key { shard: 1, ..one.clone() },
    ];
    for other in &others {
        same("what is parked there", &parked(db, other).await?, &vec![])?;
        same("who holds the commit there", &holder(db, other, 7).await?, &None)?;
        same("releasing it there", &release(db, other, "a", at(7, 0)).await?, &None)?;
    }
    same("what is held", &held(db, &one, "a", 10).await?, &vec![at(7, 0)])
}

/// K4: work that fails parks nothing, lets go of nothing, and is not recorded.
///
/// # Errors
/// The broken promise.
pub async fn failed_work_parks_nothing<D: ReadDb>(db: &D) -> Kept {
    let of = key("parked-failing");
    park(db, &of, &entry("a"), &[at(7, 0)]).await?;
    let before = parked(db, &of).await?;
    let mine = of.clone();
    let end: Transacted<()> = db
        .transact(Box::new(move |tx| {
            Box::pin(async move {
                D::park(tx, &mine, &entry("b")).await?;
                D::hold(tx, &mine, "b", &[at(8, 0)]).await?;
                D::hold(tx, &mine, "a", &[at(8, 0)]).await?;
                D::release(tx, &mine, "a", at(9, 0)).await?;
                D::record(tx, &act("parked-failing", "retry")).await?;
                Err(ApplyError::poison("it hurts"))
            })
        }))
        .await;
    same("the end", &matches!(end, Transacted::RolledBack(_)), &true)?;
    same("what is parked", &parked(db, &of).await?, &before)?;
    same("what is recorded", &acts(db, "parked-failing").await?, &vec![])
}

/// What is recorded stays, in its order, with who and why.
///
/// # Errors
/// The broken promise.
pub async fn acts_are_recorded_in_order<D: ReadDb>(db: &D) -> Kept {
    for verb in ["skip", "discard", "retry"] {
        let done =
            db.transact(Box::new(move |tx| Box::pin(async move { D::record(tx, &act("acts", verb)).await })));
        committed(done.await)?;
    }
    let expected = vec![act("acts", "skip"), act("acts", "discard"), act("acts", "retry")];
    same("what is recorded", &acts(db, "acts").await?, &expected)
}

fn at(pseq: u64, idx: u32) -> Held {
    Held { pseq, idx, offset: pseq.saturating_add(1) }
}

fn entry(key: &str) -> Parked {
    Parked {
        shard: 0,
        key: key.into(),
        first: at(7, 1),
        held: 0,
        cause: "fold".into(),
        error: "it hurts".into(),
        attempts: 1,
        resuming: false,
        at: Micros(5),
    }
}

fn act(projection: &str, verb: &str) -> Act {
    Act {
        at: Micros(7),
        projection: projection.into(),
        version: 1,
        verb: verb.into(),
        about: "a key".into(),
        said: Said::new("ada", "it had to be"),
    }
}

async fn park<D: ReadDb>(db: &D, of: &Key, parked: &Parked, events: &[Held]) -> Kept {
    let (of, parked, events) = (of.clone(), parked.clone(), events.to_vec());
    let done = db.transact(Box::new(move |tx| {
        Box::pin(async move {
            D::park(tx, &of, &parked).await?;
            D::hold(tx, &of, &parked.key, &events).await
        })
    }));
    committed(done.await)
}

async fn parked<D: ReadDb>(db: &D, of: &Key) -> Result<Vec<Parked>, String> {
    let of = of.clone();
    committed(db.transact(Box::new(move |tx| Box::pin(async move { D::parked(tx, &of).await }))).await)
}

async fn held<D: ReadDb>(db: &D, of: &Key, key: &'static str, limit: usize) -> Result<Vec<Held>, String> {
    let of = of.clone();
    let found = db.transact(Box::new(move |tx| Box::pin(async move { D::held(tx, &of, key, limit).await })));
    committed(found.await)
}

async fn release<D: ReadDb>(
    db: &D,
    of: &Key,
    key: &'static str,
    upto: Held,
) -> Result<Option<(Held, u64)>, String> {
    let of = of.clone();
    let left = db.transact(Box::new(move |tx| Box::pin(async move { D::release(tx, &of, key, upto).await })));
    committed(left.await)
}

async fn holder<D: ReadDb>(db: &D, of: &Key, pseq: u64) -> Result<Option<String>, String> {
    let of = of.clone();
    committed(db.transact(Box::new(move |tx| Box::pin(async move { D::holder(tx, &of, pseq).await }))).await)
}

async fn acts<D: ReadDb>(db: &D, projection: &'static str) -> Result<Vec<Act>, String> {
    committed(db.transact(Box::new(move |tx| Box::pin(async move { D::acts(tx, projection).await }))).await)
}
