//! A file in TOML as keys with dots, their values as text, and their lines. Knows which shapes a value may have, not
//! which keys there are.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::origin::{Origin, Problem};

/// A key in a file and what it says, or what is wrong with it.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) origin: Origin,
    pub(super) value: Result<String, String>,
}

/// All entries of a file, in its order.
///
/// # Errors
/// It cannot be read, or is no TOML.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, Problem> {
    let text = std::fs::read_to_string(path).map_err(|why| Problem {
        origin: Origin::Whole(path.to_owned()),
        what: format!("cannot be read: {why}"),
        allowed: String::new(),
    })?;
    let table = DeTable::parse(&text).map_err(|why| Problem {
        origin: Origin::File {
            path: path.to_owned(),
            line: line(&text, why.span().map_or(0, |span| span.start)),
            key: "syntax".into(),
        },
        // Its own words only: the line itself may hold a secret.
        what: why.message().to_owned(),
        allowed: "the file is in TOML".into(),
    })?;
    let mut entries = Vec::new();
    walk(table.get_ref(), "", &mut |key, at, value| {
        let origin = Origin::File { path: path.to_owned(), line: line(&text, at), key: key.clone() };
        entries.push((at, Entry { key, origin, value: plain(value) }));
    });
    entries.sort_by_key(|(at, _)| *at);
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn walk(table: &DeTable<'_>, before: &str, found: &mut impl FnMut(String, usize, &DeValue<'_>)) {
    for (key, value) in table {
        let name =
            if before.is_empty() { key.get_ref().to_string() } else { format!("{before}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => walk(inner, &name, found),
            leaf => found(name, key.span().start, leaf),
        }
    }
}

/// A value as it would stand in the environment.
fn plain(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(word) => Ok(word.to_string()),
        DeValue::Array(all) => {
            let texts = all.iter().map(|value| value.get_ref().as_str());
            let texts: Option<Vec<&str>> = texts.collect();
            texts.map(|texts| texts.join(",")).ok_or_else(|| "a list may hold texts only".into())
        }
        DeValue::Float(_) => Err("a number with a fraction is not allowed anywhere".into()),
        DeValue::Datetime(_) => Err("a date is not allowed anywhere".into()),
        DeValue::Table(_) => Err("there is nothing in it".into()),
    }
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
