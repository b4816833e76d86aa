//! The contract of a database of read models as a suite: one function a promise, for every adapter. Each promise uses
//! a projection name of its own, so one database can be asked all of them.

use std::task::Poll;

use super::{Kept, position, same};
use crate::{
    checkpoint::{ApplyError, Checkpoint, Class, Db, Key, Transacted},
    time::Micros,
};

/// How often something is looked for that happens soon.
const LOOKS: u32 = 20_000;

/// C4: a new checkpoint begins at the start given; taking over raises the epoch and moves nothing.
///
/// # Errors
/// The broken promise.
pub async fn taking_over_raises_the_epoch<D: Db>(db: &D) -> Kept {
    let key = key("taking");
    same("before", &find(db, &key).await?, &None)?;
    same("a new checkpoint", &take(db, &key).await?, &at(0, 0, 1))?;
    same("moving it", &advance(db, &key, &at(0, 0, 1), 5).await?, &true)?;
    same("the second", &take(db, &key).await?, &at(5, 5, 2))?;
    same("the third", &take(db, &key).await?, &at(5, 5, 3))?;
    same("what is there", &find(db, &key).await?, &Some(at(5, 5, 3)))
}

/// C5: a checkpoint moves from its own offset in its own epoch only.
///
/// # Errors
/// The broken promise.
pub async fn a_checkpoint_moves_by_compare_and_set<D: Db>(db: &D) -> Kept {
    let key = key("moving");
    same("without a checkpoint", &advance(db, &key, &at(0, 0, 1), 5).await?, &false)?;
    take(db, &key).await?;
    take(db, &key).await?;
    for elsewhere in [at(0, 0, 1), at(0, 0, 3), at(4, 0, 2)] {
        same("from elsewhere", &advance(db, &key, &elsewhere, 9).await?, &false)?;
    }
    same("what is there", &find(db, &key).await?, &Some(at(0, 0, 2)))?;
    same("from where it is", &advance(db, &key, &at(0, 0, 2), 9).await?, &true)?;
    same("from where it was", &advance(db, &key, &at(0, 0, 2), 9).await?, &false)?;
    same("what is there after it", &find(db, &key).await?, &Some(at(9, 9, 2)))
}

/// Checkpoints of other projections, versions, services and shards are apart.
///
/// # Errors
/// The broken promise.
pub async fn checkpoints_are_apart<D: Db>(db: &D) -> Kept {
    let one = key("apart");
    let others = [
        Key { projection: "apart-too".into(), ..one.clone() },
        Key { version: 2, ..one.clone() },
        Key { service: "hotel".into(), ..one.clone() },
        Key { shard: 1, ..one.clone() },
    ];
    take(db, &one).await?;
    for other in &others {
        same("a new one", &take(db, other).await?, &at(0, 0, 1))?;
        same("moving it", &advance(db, other, &at(0, 0, 1), 7).await?, &true)?;
    }
    same("the first one", &find(db, &one).await?, &Some(at(0, 0, 1)))
}

/// C2: an error or a panic of the work takes everything back.
///
/// # Errors
/// The broken promise.
pub async fn failed_work_changes_nothing<D: Db>(db: &D) -> Kept {
    let key = key("failing");
    take(db, &key).await?;
    for panics in [false, true] {
        let mine = key.clone();
        let end: Transacted<()> = db
            .transact(Box::new(move |tx| {
                Box::pin(async move {
                    D::advance(tx, &mine, &at(0, 0, 1), &position(5), Micros(5)).await?;
                    if panics {
                        std::panic::resume_unwind(Box::new("it hurts"));
                    }
                    Err(ApplyError::poison("it hurts"))
                })
            }))
            .await;
        let Transacted::RolledBack(why) = end else {
            return Err(format!("expected RolledBack, it is {end:?}"));
        };
        same("the class", &why.class, &Class::Poison)?;
        same("what it says", &why.what.contains("it hurts"), &true)?;
        same("what is there", &find(db, &key).await?, &Some(at(0, 0, 1)))?;
    }
    Ok(())
}

/// C1: work whose caller goes away is done to its end, and is never seen half done.
///
/// # Errors
/// The broken promise.
pub async fn a_dropped_caller_splits_nothing<D: Db>(db: &D) -> Kept {
    let key = key("dropping");
    take(db, &key).await?;
    let mine = key.clone();
    let mut begun = db.transact(Box::new(move |tx| {
        Box::pin(async move {
            for n in 0..20 {
                D::advance(tx, &mine, &at(n, n, 1), &position(n + 1), micros(n + 1)).await?;
            }
            Ok(())
        })
    }));
    let first = std::future::poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx))).await;
    drop(begun);
    same("begun and not ended", &first.is_pending(), &true)?;
    // Others may be served before it.
    for _ in 0..LOOKS {
        match find(db, &key).await? {
            Some(found) if found == at(0, 0, 1) => tokio::task::yield_now().await,
            found => return same("what is there", &found, &Some(at(20, 20, 1))),
        }
    }
    Err("work whose caller went away was not done".into())
}

pub(super) fn key(name: &str) -> Key {
    Key { projection: name.into(), version: 1, service: "bank".into(), shard: 0 }
}

fn micros(pseq: u64) -> Micros {
    Micros(i64::try_from(pseq).unwrap_or(i64::MAX))
}

fn at(pseq: u64, time: u64, epoch: u64) -> Checkpoint {
    Checkpoint { position: position(pseq), time: micros(time), epoch }
}

async fn take<D: Db>(db: &D, key: &Key) -> Result<Checkpoint, String> {
    let key = key.clone();
    committed(
        db.transact(Box::new(move |tx| {
            Box::pin(async move { D::take(tx, &key, &position(0), "suite").await })
        }))
        .await,
    )
}

async fn find<D: Db>(db: &D, key: &Key) -> Result<Option<Checkpoint>, String> {
    let key = key.clone();
    committed(db.transact(Box::new(move |tx| Box::pin(async move { D::checkpoint(tx, &key).await }))).await)
}

async fn advance<D: Db>(db: &D, key: &Key, from: &Checkpoint, to: u64) -> Result<bool, String> {
    let (key, from) = (key.clone(), from.clone());
    committed(
        db.transact(Box::new(move |tx| {
            Box::pin(async move { D::advance(tx, &key, &from, &position(to), micros(to)).await })
        }))
        .await,
    )
}

pub(super) fn committed<T: std::fmt::Debug>(end: Transacted<T>) -> Result<T, String> {
    match end {
        Transacted::Committed(value) => Ok(value),
        other => Err(format!("expected Committed, it is {other:?}")),
    }
}
