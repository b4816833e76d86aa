//! Versions of projections in memory. A stable name is no table of its own: [`MemoryDb::table`] looks it up.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};

use super::{Inner, Kept, MemoryDb, MemoryTx, Undo};
use crate::checkpoint::{
    ApplyError, Board, Checkpoint, Difference, Key, Tables, Version, Versions, versioned,
};

/// The versions of one projection.
#[derive(Clone)]
pub(super) struct Shelf {
    active: u32,
    versions: BTreeMap<u32, Vec<String>>,
}

impl Inner {
    /// The name of the table that readers of this name see.
    pub(super) fn shown(&self, table: &str) -> String {
        let of = |shelf: &&Shelf| {
            shelf.versions.get(&shelf.active).is_some_and(|tables| tables.iter().any(|name| name == table))
        };
        let shelf = self.shelves.values().find(of);
        shelf.map_or_else(|| table.to_owned(), |shelf| versioned(table, shelf.active))
    }

    fn register(&self, projection: &str, tables: &Tables) -> Result<Shelf, ApplyError> {
        let others = self.shelves.iter().filter(|(other, _)| *other != projection);
        for (other, shelf) in others {
            let theirs = shelf.versions.values().flatten();
            if let Some(table) = theirs.into_iter().find(|table| tables.stable().contains(&table.as_str())) {
                return Err(ApplyError::broken(format!("table {table:?} belongs to projection {other}")));
            }
        }
        let mut shelf = self
            .shelves
            .get(projection)
            .cloned()
            .unwrap_or(Shelf { active: tables.version(), versions: BTreeMap::new() });
        let known = shelf
            .versions
            .entry(tables.version())
            .or_insert_with(|| tables.stable().iter().map(|&name| name.to_owned()).collect());
        if known != tables.stable() {
            let what =
                format!("version {} of projection {projection} keeps the tables {known:?}", tables.version());
            return Err(ApplyError::broken(what));
        }
        Ok(shelf)
    }
}

impl MemoryTx {
    fn place(&mut self, projection: &str, shelf: Shelf) {
        let before = self.inner.shelves.insert(projection.to_owned(), shelf);
        self.undo.push(Undo::Shelf(projection.to_owned(), before));
    }
}

impl Versions for MemoryDb {
    fn register<'t>(
        tx: &'t mut MemoryTx,
        projection: &'t str,
        tables: &'t Tables,
    ) -> BoxFuture<'t, Result<u32, ApplyError>> {
        let placed = tx.inner.register(projection, tables).map(|shelf| {
            let active = shelf.active;
            tx.place(projection, shelf);
            active
        });
        ready(placed).boxed()
    }

    fn active<'t>(
        tx: &'t mut MemoryTx,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Option<u32>, ApplyError>> {
        ready(Ok(tx.inner.shelves.get(projection).map(|shelf| shelf.active))).boxed()
    }

    fn versions<'t>(
        tx: &'t mut MemoryTx,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Vec<Version>, ApplyError>> {
        let at = |version: u32| {
            let mine = tx.inner.checkpoints.iter().filter(move |(key, kept)| {
                &*key.projection == projection && key.version == version && !kept.removed()
            });
            let still = mine.clone().filter(|(_, kept)| kept.state != "live");
            (
                mine.map(|(key, kept)| (key.clone(), kept.checkpoint.clone())).collect(),
                still.map(|(key, kept)| (key.clone(), kept.state.clone())).collect(),
            )
        };
        let shelf = tx.inner.shelves.get(projection);
        let versions = shelf.into_iter().flat_map(|shelf| {
            shelf.versions.iter().map(|(&version, tables)| {
                let (at, still) = at(version);
                Version { version, active: version == shelf.active, tables: tables.clone(), at, still }
            })
        });
        ready(Ok(versions.collect())).boxed()
    }

    fn switch<'t>(
        tx: &'t mut MemoryTx,
        projection: &'t str,
        from: u32,
        to: u32,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        let shelf = tx.inner.shelves.get(projection).filter(|shelf| shelf.active == from).cloned();
        let switched = match shelf {
            None => Ok(false),
            Some(shelf) if !shelf.versions.contains_key(&to) => {
                Err(ApplyError::broken(format!("projection {projection} has no version {to}")))
            }
            Some(shelf) => {
                tx.place(projection, Shelf { active: to, ..shelf });
                Ok(true)
            }
        };
        ready(switched).boxed()
    }

    fn remove<'t>(
        tx: &'t mut MemoryTx,
        projection: &'t str,
        version: u32,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        let Some(mut shelf) = tx.inner.shelves.get(projection).filter(|s| s.active != version).cloned()
        else {
            return ready(Ok(false)).boxed();
        };
        let Some(tables) = shelf.versions.remove(&version) else { return ready(Ok(false)).boxed() };
        tx.place(projection, shelf);
        for table in tables.iter().map(|stable| versioned(stable, version)) {
            let rows: Vec<String> =
                tx.inner.rows.keys().filter(|(of, _)| *of == table).map(|(_, key)| key.clone()).collect();
            rows.iter().for_each(|key| tx.remove(&table, key));
        }
        let mine = |key: &Key| &*key.projection == projection && key.version == version;
        let checkpoints: Vec<(Key, Kept)> = tx
            .inner
            .checkpoints
            .iter()
            .filter(|(key, _)| mine(key))
            .map(|(key, kept)| (key.clone(), kept.clone()))
            .collect();
        for (key, kept) in checkpoints {
            let epoch = kept.checkpoint.epoch.saturating_add(1);
            let checkpoint = Checkpoint { epoch, ..kept.checkpoint };
            tx.keep(&key, Kept { checkpoint, state: Kept::REMOVED.into() });
        }
        tx.unpark(projection, version);
        ready(Ok(true)).boxed()
    }

    fn compare<'d>(
        &'d self,
        table: &'d str,
        left: u32,
        right: u32,
        examples: usize,
    ) -> BoxFuture<'d, Result<Difference, ApplyError>> {
        async move {
            let inner = self.0.lock().await;
            let rows = |version: u32| -> BTreeSet<String> {
                let name = versioned(table, version);
                let rows = inner.rows.iter().filter(|((of, _), _)| *of == name);
                rows.map(|((_, key), value)| format!("{key}: {value}")).collect()
            };
            let (ours, theirs) = (rows(left), rows(right));
            let (a, b): (Vec<&String>, Vec<&String>) =
                (ours.difference(&theirs).collect(), theirs.difference(&ours).collect());
            let some = |rows: &[&String]| rows.iter().take(examples).map(|row| (*row).clone()).collect();
            Ok(Difference {
                table: table.to_owned(),
                rows: (ours.len() as u64, theirs.len() as u64),
                columns: (Vec::new(), Vec::new()),
                only: (a.len() as u64, b.len() as u64),
                examples: (some(&a), some(&b)),
            })
        }
        .boxed()
    }

    fn board(&self) -> &Board {
        &self.1
    }
}
