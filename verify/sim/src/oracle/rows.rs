//! P1 to P6: the database of the read models, replayed commit by commit. At each of them the rows of every version are
//! the naive fold of the effective log up to its checkpoint, without what parked keys hold back and what people left
//! out; what is held back is all of a key from one event on that met the mistake.

use std::collections::{BTreeMap, BTreeSet};

use palinode::{checkpoint::Key, projection::Waited};

use super::{
    Truth,
    tables::{self, Entity, Shards},
};
use crate::{
    booking,
    db::{At, Committed, Row},
    readers::{ALL, Compared, Told},
    world::World,
};

type Places = BTreeSet<(u64, u32)>;

/// The database as the transactions so far leave it.
struct Replay<'a> {
    world: &'a World,
    shards: &'a Shards,
    rows: BTreeMap<Row, String>,
    at: BTreeMap<Key, At>,
    /// The newest epoch of each checkpoint, also of those that were taken away.
    epochs: BTreeMap<Key, u64>,
    held: BTreeMap<(Key, String), Places>,
    /// Events that people left out.
    left_out: BTreeMap<(Key, String), Places>,
    /// Commits that ever were held back, whatever came of them.
    ever_held: BTreeSet<(String, u32, u64)>,
    active: BTreeMap<String, u32>,
    wrong: &'a mut Vec<String>,
}

pub(super) fn judge(world: &World, truth: &Truth, wrong: &mut Vec<String>) {
    let shards = tables::read(truth);
    let mut replay = Replay {
        world,
        shards: &shards,
        rows: BTreeMap::new(),
        at: BTreeMap::new(),
        epochs: BTreeMap::new(),
        held: BTreeMap::new(),
        left_out: BTreeMap::new(),
        ever_held: BTreeSet::new(),
        active: BTreeMap::new(),
        wrong,
    };
    let mut told = world.readers.told();
    told.sort_by_key(|told| told.age);
    let mut told = told.iter().peekable();
    let mut compared = world.readers.compared().into_iter().peekable();
    for (age, commit) in (1..).zip(world.db.commits()) {
        // The booking's own are in `booking/rows.rs`.
        if !commit.at.keys().any(booking::rows::is_one) {
            replay.take(commit);
        }
        while let Some(told) = told.next_if(|told| told.age <= age) {
            replay.was_told(told);
        }
        while let Some(compared) = compared.next_if(|compared| compared.age <= age) {
            replay.differ(&compared);
        }
    }
    replay.end();
}

impl Replay<'_> {
    fn take(&mut self, commit: Committed) {
        let did = |verb: &str| commit.acts.iter().filter(|act| act.verb == verb).count();
        let by_people = did("skip") + did("discard") > 0;
        for (row, value) in commit.rows {
            let mine = commit.at.keys().any(|key| row.0 == table(key));
            if !mine {
                self.wrong.push(format!("P1: {row:?} was written without a checkpoint"));
            }
            match value {
                Some(value) => drop(self.rows.insert(row, value)),
                None => drop(self.rows.remove(&row)),
            }
        }
        for (key, at) in &commit.at {
            self.moved(key, *at, did("remove") == 1);
        }
        for ((key, name), held) in commit.held {
            let held: Places = held.iter().map(|held| (held.pseq, held.idx)).collect();
            self.holds(&key, name, held, by_people);
        }
        for (projection, versions) in commit.versions {
            let active = versions.iter().find(|(_, active)| **active).map(|(version, _)| *version);
            let Some(to) = active else {
                self.wrong.push(format!("P6: readers of {projection} see no version"));
                continue;
            };
            if let Some(from) = self.active.insert(projection.clone(), to).filter(|from| *from != to) {
                self.swapped(&projection, from, to, did("swap"));
            }
        }
        for key in commit.at.keys() {
            self.same(key);
        }
    }

    fn moved(&mut self, key: &Key, at: Option<At>, removed: bool) {
        let before = self.at.get(key).copied();
        let Some(at) = at else {
            if !removed {
                self.wrong.push(format!("P2: the checkpoint of {key} is gone, and nobody took it away"));
            }
            self.at.remove(key);
            self.held.retain(|(of, _), _| of != key);
            self.left_out.retain(|(of, _), _| of != key);
            return;
        };
        match before {
            Some(before) if at.offset < before.offset => {
                self.wrong.push(format!("P2: {key} went back from {} to {}", before.offset, at.offset));
            }
            None if at.pseq > 0 => {
                self.wrong.push(format!("P2: {key} begins at commit {}", at.pseq));
            }
            _ => {}
        }
        let epoch = self.epochs.entry(key.clone()).or_default();
        if at.epoch < *epoch {
            self.wrong.push(format!("P3: {key} was written under epoch {} after {epoch}", at.epoch));
        }
        *epoch = at.epoch.max(*epoch);
        self.at.insert(key.clone(), at);
    }

    /// What a key holds back now.
    fn holds(&mut self, key: &Key, name: String, held: Places, by_people: bool) {
        let place = (key.clone(), name);
        let before = self.held.remove(&place).unwrap_or_default();
        for (pseq, _) in &held {
            self.ever_held.insert((key.projection.to_string(), key.shard, *pseq));
        }
        if by_people {
            self.left_out.entry(place.clone()).or_default().extend(before.difference(&held));
        }
        if let (Some(first), true) = (held.first(), before.is_empty()) {
            let entity = self.entity(key, &place.1);
            let event = entity.and_then(|e| e.events.iter().find(|event| event.place() == *first));
            let meets = event.zip(self.world.script.desk.mistake).is_some_and(|(event, mistake)| {
                let id = entity.map_or("", |e| e.id.as_str());
                mistake.meets(&key.projection, id, event.version)
            });
            if !meets {
                let name = &place.1;
                self.wrong.push(format!("P4: {key} parked {name} at {first:?}, where nothing is wrong"));
            }
        }
        if !held.is_empty() {
            self.held.insert(place, held);
        }
    }

    fn entity(&self, key: &Key, name: &str) -> Option<&Entity> {
        self.shards.get(&(key.service.to_string(), key.shard))?.get(name)
    }

    /// Readers were moved: they must not go back in time.
    fn swapped(&mut self, projection: &str, from: u32, to: u32, acts: usize) {
        if acts != 1 {
            self.wrong.push(format!("P6: readers of {projection} were moved, and {acts} acts say so"));
        }
        for (key, at) in
            self.at.iter().filter(|(key, _)| *key.projection == *projection && key.version == from)
        {
            let other = Key { version: to, ..key.clone() };
            let there = self.at.get(&other).map_or(0, |at| at.pseq);
            if there < at.pseq {
                let here = at.pseq;
                self.wrong.push(format!("P5: readers were moved from {key} at {here} to {other} at {there}"));
            }
        }
    }

    /// The rows of a version in a shard are what its checkpoint says.
    fn same(&mut self, key: &Key) {
        let Some(at) = self.at.get(key) else { return };
        let Some(entities) = self.shards.get(&(key.service.to_string(), key.shard)) else { return };
        for (name, entity) in entities {
            let place = (key.clone(), name.clone());
            let (held, left_out) = (self.held.get(&place), self.left_out.get(&place));
            let mut without = left_out.cloned().unwrap_or_default();
            if let Some(held) = held {
                let first = held.first().copied().unwrap_or_default();
                let later = entity.events.iter().filter(|e| e.offset <= at.offset && e.place() >= first);
                let all: Places = later.map(tables::Event::place).filter(|p| !without.contains(p)).collect();
                if all != *held {
                    self.wrong
                        .push(format!("P4: {key} holds {held:?} of {name}; from the first on it is {all:?}"));
                }
                without.extend(held);
            }
            let expected = entity.row(&key.projection, at.offset, &without);
            let row = (table(key), entity.id.clone());
            let found = self.rows.get(&row).cloned().unwrap_or_default();
            let blank = |row: &str| row.is_empty() || row == "0";
            if found != expected && !(blank(&found) && blank(&expected)) {
                let at = at.offset;
                self.wrong.push(format!(
                    "P1: {key} at record {at}: the row of {name} is {found:?}, expected {expected:?}"
                ));
            }
        }
    }

    /// What a reader was told about a token, at that moment.
    fn was_told(&mut self, told: &Told) {
        let Told { projection, token, waited, .. } = told;
        let version = self.active.get(*projection).copied().unwrap_or(1);
        let (service, shard) = (token.service.clone(), token.shard);
        let key = Key { projection: (*projection).into(), version, service, shard };
        let held = |places: &Places| places.iter().any(|(pseq, _)| *pseq == token.pseq);
        let held_now = self.held.iter().any(|((of, _), places)| *of == key && held(places));
        let at = self.at.get(&key).map_or(0, |at| at.pseq);
        match waited {
            Waited::Reached if at < token.pseq || held_now => {
                let what = if held_now { "it is held back" } else { "it is not there yet" };
                self.wrong.push(format!("P5: {token} was reached in {key}, at commit {at}: {what}"));
            }
            Waited::Parked { key: name }
                if !self.ever_held.contains(&((*projection).to_owned(), shard, token.pseq)) =>
            {
                self.wrong.push(format!("P5: {token} in {key} is held back by {name}, which never held it"));
            }
            Waited::WrongLog { .. } => {
                self.wrong.push(format!("P5: {token} is called one of another log by {key}"));
            }
            _ => {}
        }
    }

    /// How two versions were said to differ.
    fn differ(&mut self, compared: &Compared) {
        let Compared { projection, versions: (left, right), found, .. } = compared;
        let rows = |version: &u32| {
            let table = format!("{projection}_v{version}");
            let mine = self.rows.iter().filter(move |((of, _), _)| *of == table);
            mine.map(|((_, key), value)| (key, value)).collect::<BTreeSet<_>>()
        };
        let (ours, theirs) = (rows(left), rows(right));
        let rows = (ours.len() as u64, theirs.len() as u64);
        let only = (ours.difference(&theirs).count() as u64, theirs.difference(&ours).count() as u64);
        if (found.rows, found.only) != (rows, only) {
            self.wrong.push(format!(
                "P6: versions {left} and {right} of {projection}: {found:?}, but they have {rows:?} rows, {only:?} of \
                 their own"
            ));
        }
    }

    /// After the heal everything that is wanted is there, and nothing is held back that could be taken.
    fn end(&mut self) {
        for (projection, service) in ALL {
            for version in self.world.readers.wanted(projection) {
                for ((_, shard), entities) in self.shards.iter().filter(|((of, _), _)| of == service) {
                    let key = Key {
                        projection: projection.into(),
                        version,
                        service: service.into(),
                        shard: *shard,
                    };
                    let last = entities.values().filter_map(|e| e.events.last()).map(|e| e.offset).max();
                    let at = self.at.get(&key).map_or(0, |at| at.offset);
                    if last.is_some_and(|last| at < last) {
                        self.wrong.push(format!("P1: {key} is at record {at} in the end, of {last:?}"));
                    }
                    let parked = self.held.keys().find(|(of, _)| *of == key);
                    if let Some((_, name)) = parked.filter(|_| self.world.script.desk.mended) {
                        self.wrong.push(format!("P4: {key} still holds {name} back, though all is mended"));
                    }
                }
            }
        }
    }
}

fn table(key: &Key) -> String {
    format!("{}_v{}", key.projection, key.version)
}
