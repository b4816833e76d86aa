//! The snapshot contract as a suite: one function a promise, for every adapter. A promise that is not kept comes back
//! as the sentence that says so. Each promise uses a service name of its own, so one store can be asked all of them.

pub mod checkpoints;
pub mod parking;
pub mod versions;

use uuid::Uuid;

use crate::{
    digest::Digest,
    position::Position,
    snapshots::{Head, Row, Save, Saved, Section, SnapshotStore},
};

/// Whether a promise was kept.
pub type Kept = Result<(), String>;

/// More rows than any adapter puts into one statement.
const MANY: usize = 3_000;

/// S1: the first save of a shard names no base, and is what is loaded.
///
/// # Errors
/// The broken promise.
pub async fn the_first_save_is_loaded(store: &dyn SnapshotStore) -> Kept {
    let at = "first";
    same("nothing is there before", &load(store, at).await?, &None)?;
    let rows = vec![row(Section::Entity, "room/1", 1, "{}"), row(Section::Timer, "room/1/guest", 2, "7")];
    saved(store.save(at, 0, None, save(2, &rows)).await)?;
    let kept = vec![row(Section::Timer, "room/1/guest", 2, "7")];
    same("head and rows outside entities", &load(store, at).await?, &Some((head(2), kept)))?;
    let (base, entities) = entities(store, at, &["room/1", "room/2"]).await?;
    same("base of the entities", &base, &Some(position(2)))?;
    same("entities", &entities, &vec![Some(row(Section::Entity, "room/1", 1, "{}")), None])
}

/// S1: a save on another base changes nothing at all.
///
/// # Errors
/// The broken promise.
pub async fn a_lost_race_changes_nothing(store: &dyn SnapshotStore) -> Kept {
    let at = "race";
    saved(
        store
            .save(at, 0, None, save(5, &[row(Section::Entity, "a", 5, "old"), row(Section::Id, "x", 4, "1")]))
            .await,
    )?;
    let before = (load(store, at).await?, entities(store, at, &["a", "b"]).await?);
    let theirs =
        [row(Section::Entity, "a", 9, "new"), row(Section::Entity, "b", 9, "new"), gone(Section::Id, "x", 9)];
    let mut other = position(5);
    other.digest = Digest::of(b"another history");
    for base in [None, Some(position(4)), Some(other)] {
        let end = store.save(at, 0, base.as_ref(), save(9, &theirs)).await;
        same("a save on another base", &end, &Saved::Lost)?;
        let after = (load(store, at).await?, entities(store, at, &["a", "b"]).await?);
        same("what is there after a lost race", &after, &before)?;
    }
    let end = store.save("race-empty", 0, Some(&position(5)), save(9, &theirs)).await;
    same("a save on a base that is not there", &end, &Saved::Lost)?;
    same("a shard nobody saved", &load(store, "race-empty").await?, &None)
}

/// S1: a save replaces rows, adds rows and removes rows; the others stay as they were, each with its number.
///
/// # Errors
/// The broken promise.
pub async fn a_save_changes_its_rows_only(store: &dyn SnapshotStore) -> Kept {
    let at = "rows";
    let first =
        [row(Section::Id, "1", 1, "a"), row(Section::Id, "2", 2, "b"), row(Section::Send, "1", 3, "c")];
    saved(store.save(at, 0, None, save(3, &first)).await)?;
    let second = [row(Section::Id, "1", 4, "d"), gone(Section::Id, "2", 5), row(Section::Run, "1", 6, "e")];
    saved(store.save(at, 0, Some(&position(3)), save(6, &second)).await)?;
    let expected =
        vec![row(Section::Id, "1", 4, "d"), row(Section::Send, "1", 3, "c"), row(Section::Run, "1", 6, "e")];
    same("rows after the second save", &load(store, at).await?, &Some((head(6), expected)))
}

/// S1: of two rows with one key the last one counts, removed or not.
///
/// # Errors
/// The broken promise.
pub async fn the_last_row_of_a_key_counts(store: &dyn SnapshotStore) -> Kept {
    let rows = [
        row(Section::Id, "1", 1, "a"),
        row(Section::Id, "1", 2, "b"),
        gone(Section::Id, "2", 1),
        row(Section::Id, "2", 2, "c"),
        row(Section::Id, "3", 1, "d"),
        gone(Section::Id, "3", 2),
    ];
    saved(store.save("twice", 0, None, save(2, &rows)).await)?;
    let expected = vec![row(Section::Id, "1", 2, "b"), row(Section::Id, "2", 2, "c")];
    same("rows", &load(store, "twice").await?, &Some((head(2), expected)))
}

/// S1: a save of thousands of rows is one save; so is the removal of them.
///
/// # Errors
/// The broken promise.
pub async fn many_rows_are_one_save(store: &dyn SnapshotStore) -> Kept {
    let at = "many";
    let keys: Vec<String> = (0..MANY).map(|n| format!("{n:05}")).collect();
    let rows: Vec<Row> =
        keys.iter().zip(1..).map(|(k, n)| row(Section::Id, k, n, &format!("v{n}"))).collect();
    saved(store.save(at, 0, None, save(9_000, &rows)).await)?;
    same("thousands of rows", &load(store, at).await?, &Some((head(9_000), rows)))?;
    let none: Vec<Row> = keys.iter().map(|key| gone(Section::Id, key, 9_001)).collect();
    saved(store.save(at, 0, Some(&position(9_000)), save(9_001, &none)).await)?;
    same("no rows", &load(store, at).await?, &Some((head(9_001), vec![])))
}

/// S3: entities come back in the order asked, with the base they belong to, also when there are none.
///
/// # Errors
/// The broken promise.
pub async fn entities_come_with_their_base(store: &dyn SnapshotStore) -> Kept {
    let at = "base";
    let (base, found) = entities(store, at, &["a"]).await?;
    same("base and entities without a snapshot", &(base, found), &(None, vec![None]))?;
    saved(
        store
            .save(
                at,
                0,
                None,
                save(1, &[row(Section::Entity, "a", 1, "1"), row(Section::Entity, "c", 1, "3")]),
            )
            .await,
    )?;
    saved(store.save(at, 0, Some(&position(1)), save(2, &[row(Section::Entity, "a", 2, "2")])).await)?;
    let (base, found) = entities(store, at, &["c", "b", "a"]).await?;
    same("the base", &base, &Some(position(2)))?;
    let (a, c) = (row(Section::Entity, "a", 2, "2"), row(Section::Entity, "c", 1, "3"));
    same("entities in the order asked", &found, &vec![Some(c), None, Some(a)])?;
    same("the base alone", &entities(store, at, &[]).await?, &(Some(position(2)), vec![]))
}

/// S4: bytes come back as they were, whatever they are; also keys.
///
/// # Errors
/// The broken promise.
pub async fn bytes_come_back_as_they_were(store: &dyn SnapshotStore) -> Kept {
    let at = "bytes";
    let keys = ["", "'; drop table x", "ключ/№1", "a\u{0}b", "\"quoted\\\""];
    let value: Vec<u8> = (0..=255).chain(0..=255).collect();
    let rows: Vec<Row> = keys
        .iter()
        .map(|key| Row { section: Section::Entity, key: (*key).into(), pseq: 1, value: Some(value.clone()) })
        .chain([row(Section::Entity, "empty", 1, "")])
        .collect();
    saved(store.save(at, 0, None, save(1, &rows)).await)?;
    let asked: Vec<&str> = keys.into_iter().chain(["empty"]).collect();
    let (_, found) = entities(store, at, &asked).await?;
    same("rows", &found, &rows.into_iter().map(Some).collect())
}

/// Shards and services do not see each other.
///
/// # Errors
/// The broken promise.
pub async fn shards_are_apart(store: &dyn SnapshotStore) -> Kept {
    for (service, shard, n) in [("apart", 0, 1), ("apart", 1, 2), ("apart-too", 0, 3)] {
        let rows = [row(Section::Entity, "a", n, &n.to_string()), row(Section::Id, "i", n, &n.to_string())];
        saved(store.save(service, shard, None, save(n, &rows)).await)?;
    }
    for (service, shard, n) in [("apart", 0, 1), ("apart", 1, 2), ("apart-too", 0, 3)] {
        let found = store.load(service, shard).await.map_err(|e| e.to_string())?;
        let expected = Some((head(n), vec![row(Section::Id, "i", n, &n.to_string())]));
        same("another shard's snapshot", &found, &expected)?;
        let found = store.entities(service, shard, &["a".into()]).await.map_err(|e| e.to_string())?;
        let expected = (Some(position(n)), vec![Some(row(Section::Entity, "a", n, &n.to_string()))]);
        same("another shard's entities", &found, &expected)?;
    }
    Ok(())
}

/// S5: a save that goes back is refused and changes nothing; one that stands still is taken.
///
/// # Errors
/// The broken promise.
pub async fn a_save_never_goes_back(store: &dyn SnapshotStore) -> Kept {
    let at = "back";
    saved(store.save(at, 0, None, save(5, &[row(Section::Id, "a", 5, "1")])).await)?;
    let before = load(store, at).await?;
    let mut elsewhere = save(9, &[]);
    elsewhere.head.position.log_id = Uuid::from_u128(99);
    for next in [save(4, &[gone(Section::Id, "a", 4)]), elsewhere] {
        let end = store.save(at, 0, Some(&position(5)), next).await;
        if !matches!(end, Saved::Refused(_)) {
            return Err(format!("a save that goes back: expected Refused, it is {end:?}"));
        }
        same("what is there after it", &load(store, at).await?, &before)?;
    }
    saved(store.save(at, 0, Some(&position(5)), save(5, &[])).await)
}

/// What was saved is there after the store was opened again.
///
/// # Errors
/// The broken promise.
pub async fn a_snapshot_survives_reopening<F, R>(store: &dyn SnapshotStore, reopen: F) -> Kept
where
    F: FnOnce() -> R,
    R: Future<Output = Box<dyn SnapshotStore>>,
{
    let at = "reopen";
    saved(
        store
            .save(at, 0, None, save(3, &[row(Section::Entity, "a", 2, "x"), row(Section::Send, "s", 3, "y")]))
            .await,
    )?;
    let before = (load(store, at).await?, entities(store, at, &["a"]).await?);
    let again = reopen().await;
    let after = (load(&*again, at).await?, entities(&*again, at, &["a"]).await?);
    same("what is there after opening again", &after, &before)?;
    saved(again.save(at, 0, Some(&position(3)), save(4, &[])).await)
}

/// A position as a shard reaches it at its `pseq`-th commit.
#[must_use]
pub fn position(pseq: u64) -> Position {
    Position {
        log_id: Uuid::from_u128(1),
        offset: pseq + 1,
        term: 1,
        claim_id: Uuid::from_u128(2),
        pseq,
        digest: Digest::of(&pseq.to_be_bytes()),
    }
}

/// A row with this text as its value.
#[must_use]
pub fn row(section: Section, key: &str, pseq: u64, value: &str) -> Row {
    Row { section, key: key.into(), pseq, value: Some(value.into()) }
}

/// The removal of a row.
#[must_use]
pub fn gone(section: Section, key: &str, pseq: u64) -> Row {
    Row { section, key: key.into(), pseq, value: None }
}

/// A save at [`position`]`(pseq)`.
#[must_use]
pub fn save(pseq: u64, rows: &[Row]) -> Save {
    Save { head: head(pseq), rows: rows.to_vec() }
}

fn head(pseq: u64) -> Head {
    Head { position: position(pseq), shard_state: format!("{{\"upto\":{pseq}}}") }
}

async fn load(store: &dyn SnapshotStore, service: &str) -> Result<Option<(Head, Vec<Row>)>, String> {
    let mut found = store.load(service, 0).await.map_err(|e| e.to_string())?;
    if let Some((_, rows)) = &mut found {
        rows.sort_by(|a, b| (a.section, &a.key).cmp(&(b.section, &b.key)));
    }
    Ok(found)
}

async fn entities(
    store: &dyn SnapshotStore,
    service: &str,
    keys: &[&str],
) -> Result<(Option<Position>, Vec<Option<Row>>), String> {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    store.entities(service, 0, &keys).await.map_err(|e| e.to_string())
}

fn saved(end: Saved) -> Kept {
    same("the end of a save", &end, &Saved::Saved)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Kept {
    if found == expected {
        return Ok(());
    }
    let cut = |t: &T| format!("{t:?}").chars().take(600).collect::<String>();
    Err(format!("{what}: expected {}, it is {}", cut(expected), cut(found)))
}
