//! Golden files of events: one file for each shape that was ever written, `<tag>.<schema>.json`, holding the payload.
//! They are only ever added to, so that a change that would make old records unreadable fails a test first.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize as _, de, de::value::MapDeserializer};
use serde_json::{Value, value::to_raw_value};

use super::pretty;
use crate::{
    aggregate::Aggregate,
    codec::upcast::Upcasters,
    commit::EventRecord,
    entity::{decode_event, encode_event},
};

/// Checks the golden files of an aggregate's events in `dir` (in a test: relative to the package).
///
/// * Every file is an event that today's code reads, raised through the upcasters.
/// * Every event has a file for its present schema and for all before it.
///
/// `samples` are events in their present shape. With `UPDATE_GOLDEN=1` in the environment the missing files of present
/// shapes are written from them; a file that is there is never changed.
///
/// # Panics
/// When a file cannot be read or one is missing; the message says what to write.
#[track_caller]
pub fn golden_events<A: Aggregate>(dir: impl AsRef<Path>, samples: impl IntoIterator<Item = A::Event>) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1");
    let problems = check::<A>(dir.as_ref(), samples, update);
    if !problems.is_empty() {
        panic!("golden events of {}:\n  {}", A::KIND, problems.join("\n").replace('\n', "\n  "));
    }
}

/// The tags of all events an aggregate can read, aliases included, in the order of their definition.
///
/// # Errors
/// When the event type does not say: it is not an enum with a derived `Deserialize`, or accepts any tag.
pub fn tags<A: Aggregate>() -> Result<Vec<String>, String> {
    let asked = MapDeserializer::new(std::iter::once(("type", "\u{0}")));
    match A::Event::deserialize(asked) {
        Err(Asked::Tags(tags)) => Ok(tags.iter().map(|tag| String::from(*tag)).collect()),
        Err(Asked::Other(why)) => Err(why),
        Ok(_) => Err("it accepts any tag".into()),
    }
}

pub(super) fn check<A: Aggregate>(
    dir: &Path,
    samples: impl IntoIterator<Item = A::Event>,
    update: bool,
) -> Vec<String> {
    let chains = A::upcasters();
    let tags = match tags::<A>() {
        Ok(tags) => tags,
        Err(why) => return vec![format!("the names of its events cannot be listed: {why}")],
    };
    let mut problems = Vec::new();
    let mut presents = BTreeMap::new();
    for sample in samples {
        match encode_event(A::KIND, &chains, &sample) {
            Ok(record) => drop(presents.insert(tag_of::<A>(&record), record)),
            Err(why) => problems.push(format!("a sample: {why}")),
        }
    }
    for tag in &tags {
        for schema in 1..=chains.current(tag) {
            let path = path(dir, tag, schema);
            if path.exists() {
                continue;
            }
            let sample = presents.get(tag).filter(|record| record.schema == schema);
            problems.extend(missing(&path, sample, update).err());
        }
    }
    problems.extend(files(dir).into_iter().filter_map(|path| read::<A>(&path, &chains).err()));
    problems
}

fn path(dir: &Path, tag: &str, schema: u32) -> PathBuf {
    dir.join(format!("{tag}.{schema}.json"))
}

fn tag_of<A: Aggregate>(record: &EventRecord) -> String {
    let tag = record.name.strip_prefix(A::KIND).and_then(|rest| rest.strip_prefix('.'));
    tag.unwrap_or(&record.name).into()
}

/// Writes a missing file, or says what to do about it.
fn missing(path: &Path, sample: Option<&EventRecord>, update: bool) -> Result<(), String> {
    let name = path.display();
    let Some(record) = sample else {
        return Err(format!(
            "{name} is missing: give a sample of the event, or, for an older schema, write the file from a record \
             of that time"
        ));
    };
    let text = format!("{}\n", pretty(&record.data));
    if !update {
        return Err(format!("{name} is missing: run the test with UPDATE_GOLDEN=1, or write\n{text}"));
    }
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, text)).map_err(|e| format!("{name} cannot be written: {e}"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Reads one file through the upcasters; what comes out must be writable and readable again.
fn read<A: Aggregate>(path: &Path, chains: &Upcasters) -> Result<(), String> {
    let fail = |why: &dyn fmt::Display| format!("{}: {why}", path.display());
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let parts = name.strip_suffix(".json").and_then(|name| name.rsplit_once('.'));
    let (tag, schema) = parts
        .and_then(|(tag, schema)| Some((tag, schema.parse().ok()?)))
        .ok_or_else(|| fail(&"not named <tag>.<schema>.json"))?;
    let text = fs::read_to_string(path).map_err(|e| fail(&e))?;
    let data: Value = serde_json::from_str(&text).map_err(|e| fail(&e))?;
    let data = to_raw_value(&data).map_err(|e| fail(&e))?;
    let record = EventRecord { name: format!("{}.{tag}", A::KIND).into(), schema, data };
    let event: A::Event = decode_event(A::KIND, chains, &record).map_err(|e| fail(&e))?;
    let present = encode_event(A::KIND, chains, &event).map_err(|e| fail(&e))?;
    super::survives::<A>(&present).map_err(|e| fail(&e))
}

/// What a derived `Deserialize` answers when it is given a tag that no event has.
#[derive(Debug)]
enum Asked {
    Tags(&'static [&'static str]),
    Other(String),
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Asked {}

impl de::Error for Asked {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::Other(what.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Tags(expected)
    }
}
