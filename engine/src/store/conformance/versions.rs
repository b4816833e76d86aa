//! The contract of versions side by side as a suite: one function a promise, for every adapter. What a row is, an
//! adapter's test says ([`Rows`]). Each promise uses projections and tables of its own.

use futures_util::future::BoxFuture;

use super::{
    Kept,
    checkpoints::{committed, key},
    position, same,
};
use crate::{
    checkpoint::{ApplyError, Checkpoint, Db, Key, ReadDb, Tables, Transacted, Version},
    time::Micros,
};

/// How rows are written and read in a database.
pub trait Rows<D: Db>: Send + Sync + Clone + 'static {
    /// Makes this version's table behind the name, and puts a row with this text into it.
    fn make<'t>(
        &'t self,
        tx: &'t mut D::Tx,
        tables: &'t Tables,
        stable: &'static str,
        text: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>>;

    /// The texts that readers of the name see.
    fn seen<'d>(&'d self, db: &'d D, stable: &'static str) -> BoxFuture<'d, Vec<String>>;
}

/// V1: the first version is what readers see; a later one stands beside it.
///
/// # Errors
/// The broken promise.
pub async fn readers_see_the_first_version<D: ReadDb>(db: &D, rows: &impl Rows<D>) -> Kept {
    let (one, two) = (tables(&["first_rows"], 1)?, tables(&["first_rows"], 2)?);
    same("registering the first", &make(db, rows, "first", one, "one").await?, &1)?;
    same("registering the second", &make(db, rows, "first", two, "two").await?, &1)?;
    same("registering it again", &make(db, rows, "first", two, "too").await?, &1)?;
    same("what readers see", &rows.seen(db, "first_rows").await, &vec!["one".to_owned()])?;
    let active = db.transact(Box::new(|tx| Box::pin(async { D::active(tx, "first").await })));
    same("the active one", &active.await, &Transacted::Committed(Some(1)))?;
    let none = db.transact(Box::new(|tx| Box::pin(async { D::active(tx, "none-of-it").await })));
    same("of no projection", &none.await, &Transacted::Committed(None))?;
    let found = versions(db, "first").await?;
    let found: Vec<_> = found.iter().map(|v| (v.version, v.active, v.tables.clone())).collect();
    let names = vec!["first_rows".to_owned()];
    same("the versions", &found, &vec![(1, true, names.clone()), (2, false, names)])
}

/// V1: a table belongs to one projection, and a version keeps its tables.
///
/// # Errors
/// The broken promise.
pub async fn a_table_belongs_to_one_version_of_one_projection<D: ReadDb>(
    db: &D,
    rows: &impl Rows<D>,
) -> Kept {
    let (of, other) = (tables(&["owned_a", "owned_b"], 1)?, tables(&["owned_b"], 1)?);
    same("registering", &make(db, rows, "owned", of, "a").await, &Ok(1))?;
    same("by another projection", &make(db, rows, "owned-too", other, "b").await.is_err(), &true)?;
    same("with other tables", &make(db, rows, "owned", other, "c").await.is_err(), &true)?;
    same("the other one's versions", &versions(db, "owned-too").await?, &vec![])
}

/// V2: readers move from the active version only.
///
/// # Errors
/// The broken promise.
pub async fn readers_move_by_compare_and_set<D: ReadDb>(db: &D, rows: &impl Rows<D>) -> Kept {
    for (version, text) in [(1, "one"), (2, "two")] {
        make(db, rows, "moving-rows", tables(&["moving_rows"], version)?, text).await?;
    }
    let see = |text: &str| vec![text.to_owned()];
    same("from elsewhere", &switch(db, "moving-rows", 2, 1).await?, &false)?;
    same("what readers see", &rows.seen(db, "moving_rows").await, &see("one"))?;
    same("from where they are", &switch(db, "moving-rows", 1, 2).await?, &true)?;
    same("what readers see after it", &rows.seen(db, "moving_rows").await, &see("two"))?;
    same("from where they were", &switch(db, "moving-rows", 1, 2).await?, &false)?;
    same("going back", &switch(db, "moving-rows", 2, 1).await?, &true)?;
    same("what readers see in the end", &rows.seen(db, "moving_rows").await, &see("one"))
}

/// V3: a version that readers see stays; one that is removed begins anew, and a runner that is late changes nothing.
///
/// # Errors
/// The broken promise.
pub async fn a_removed_version_begins_anew<D: ReadDb>(db: &D, rows: &impl Rows<D>) -> Kept {
    for (version, text) in [(1, "one"), (2, "two")] {
        make(db, rows, "removing", tables(&["removed_rows"], version)?, text).await?;
    }
    let of = Key { version: 2, ..key("removing") };
    let late = take(db, &of).await?;
    let late = advance(db, &of, &late, 5).await?.ok_or("the first runner cannot move")?;
    same("the active one", &remove(db, "removing", 1).await?, &false)?;
    same("the other one", &remove(db, "removing", 2).await?, &true)?;
    same("again", &remove(db, "removing", 2).await?, &false)?;
    same("moving the late one", &advance(db, &of, &late, 6).await?, &None)?;
    // and from the beginning
    make(db, rows, "removing", tables(&["removed_rows"], 2)?, "new").await?;
    let anew = take(db, &of).await?;
    same("where it begins", &anew.position, &position(0))?;
    same("its epoch is higher", &(anew.epoch > late.epoch), &true)?;
    same("moving the late one again", &advance(db, &of, &late, 6).await?, &None)?;
    same("moving it", &advance(db, &of, &anew, 5).await?.is_some(), &true)?;
    same("moving the late one from there", &advance(db, &of, &late, 6).await?, &None)?;
    switch(db, "removing", 1, 2).await?;
    same("what readers see", &rows.seen(db, "removed_rows").await, &vec!["new".to_owned()])
}

/// Versions know how far they are, each in its own shards.
///
/// # Errors
/// The broken promise.
pub async fn versions_know_how_far_they_are<D: ReadDb>(db: &D, rows: &impl Rows<D>) -> Kept {
    for version in [1, 2] {
        make(db, rows, "far", tables(&["far_rows"], version)?, "far").await?;
    }
    let of = |version, shard| Key { version, shard, ..key("far") };
    for key in [of(1, 0), of(1, 1), of(2, 0)] {
        let taken = take(db, &key).await?;
        advance(db, &key, &taken, u64::from(key.version) * 10 + u64::from(key.shard)).await?;
    }
    let far = |version: &Version| -> Vec<(u32, u64)> {
        version.at.iter().map(|(key, at)| (key.shard, at.position.pseq)).collect()
    };
    let found: Vec<_> = versions(db, "far").await?.iter().map(far).collect();
    same("how far they are", &found, &vec![vec![(0, 10), (1, 11)], vec![(0, 20)]])
}

/// Tables of two versions are compared row by row.
///
/// # Errors
/// The broken promise.
pub async fn versions_are_compared<D: ReadDb>(db: &D, rows: &impl Rows<D>) -> Kept {
    for (version, texts) in [(1, ["same", "one"]), (2, ["same", "two"])] {
        for text in texts {
            make(db, rows, "comparing", tables(&["compared_rows"], version)?, text).await?;
        }
    }
    let same_one = db.compare("compared_rows", 1, 1, 5).await.map_err(|e| e.to_string())?;
    same("with itself", &same_one.is_none(), &true)?;
    let found = db.compare("compared_rows", 1, 2, 5).await.map_err(|e| e.to_string())?;
    same("rows", &(found.rows, found.only), &((2, 2), (1, 1)))?;
    same("whether they differ", &found.is_none(), &false)?;
    let (one, two) = (found.examples.0.join(""), found.examples.1.join(""));
    same("examples", &(one.contains("one"), two.contains("two")), &(true, true))
}

fn tables(stable: &'static [&'static str], version: u32) -> Result<Tables, String> {
    Tables::new(stable, version).map_err(|e| e.to_string())
}

async fn make<D: ReadDb>(
    db: &D,
    rows: &impl Rows<D>,
    projection: &'static str,
    tables: Tables,
    text: &'static str,
) -> Result<u32, String> {
    let rows = rows.clone();
    let active = db.transact(Box::new(move |tx| {
        Box::pin(async move {
            for stable in tables.stable() {
                rows.make(tx, &tables, stable, text).await?;
            }
            D::register(tx, projection, &tables).await
        })
    }));
    committed(active.await)
}

async fn versions<D: ReadDb>(db: &D, projection: &'static str) -> Result<Vec<Version>, String> {
    let found = db.transact(Box::new(move |tx| Box::pin(async move { D::versions(tx, projection).await })));
    committed(found.await)
}

async fn switch<D: ReadDb>(db: &D, projection: &'static str, from: u32, to: u32) -> Result<bool, String> {
    let moved =
        db.transact(Box::new(move |tx| Box::pin(async move { D::switch(tx, projection, from, to).await })));
    committed(moved.await)
}

async fn remove<D: ReadDb>(db: &D, projection: &'static str, version: u32) -> Result<bool, String> {
    let removed =
        db.transact(Box::new(move |tx| Box::pin(async move { D::remove(tx, projection, version).await })));
    committed(removed.await)
}

async fn take<D: ReadDb>(db: &D, of: &Key) -> Result<Checkpoint, String> {
    let of = of.clone();
    let taken: Transacted<Checkpoint> = db
        .transact(Box::new(move |tx| Box::pin(async move { D::take(tx, &of, &position(0), "suite").await })))
        .await;
    committed(taken)
}

/// Where the checkpoint is then; `None` when it did not move.
async fn advance<D: ReadDb>(
    db: &D,
    of: &Key,
    from: &Checkpoint,
    to: u64,
) -> Result<Option<Checkpoint>, String> {
    let (of, at) = (of.clone(), from.clone());
    let moved = db.transact(Box::new(move |tx| {
        Box::pin(async move { D::advance(tx, &of, &at, &position(to), Micros(0)).await })
    }));
    let after = Checkpoint { position: position(to), time: Micros(0), epoch: from.epoch };
    Ok(committed(moved.await)?.then_some(after))
}
