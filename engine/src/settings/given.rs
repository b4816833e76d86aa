//! What was said for each key, by whom, and what is wrong with it. Values are checked one by one here; the sections ask
//! for them afterwards, typed, and add what is wrong with several together.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    duration,
    keys::{Kind, named},
    origin::{Origin, Problem},
};

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Given {
    values: BTreeMap<&'static str, Value>,
    pub(super) problems: Vec<Problem>,
}

/// The last word on a key.
#[derive(Debug)]
struct Value {
    /// Any value may turn out to be a secret that was put into the wrong place.
    text: SecretString,
    origin: Origin,
    /// Which source, counted.
    level: u32,
    /// Whether the text is the name of the file that holds the value.
    in_file: bool,
}

impl Given {
    /// A later word on a key. A secret and a file with it in one source are a contradiction.
    pub(super) fn say(&mut self, name: &'static str, text: &str, origin: Origin, level: u32, in_file: bool) {
        if let Some(before) = self.values.get(name)
            && (before.level, before.in_file) == (level, !in_file)
        {
            let what = format!("{} says it as well", before.origin);
            self.problems.push(Problem { origin, what, allowed: "say one of the two".into() });
            return;
        }
        self.values.insert(name, Value { text: text.into(), origin, level, in_file });
    }

    /// Checks each value by itself, and forgets those that are wrong.
    pub(super) fn check(&mut self) {
        let problems = &mut self.problems;
        self.values.retain(|name, value| {
            let Some(key) = named(name) else { return false };
            let mut wrong = |what: String, allowed: String| {
                problems.push(Problem { origin: value.origin.clone(), what, allowed });
                false
            };
            if value.in_file {
                let path = value.text.expose_secret().to_owned();
                match std::fs::read_to_string(&path) {
                    Ok(secret) => value.text = secret.trim_end_matches(['\r', '\n']).into(),
                    Err(why) => {
                        return wrong(
                            format!("{path:?} cannot be read: {why}"),
                            "a file with the secret in it".into(),
                        );
                    }
                }
            }
            match key.wrong(value.text.expose_secret()) {
                None => true,
                Some(what) => wrong(what, format!("allowed: {}", key.allowed())),
            }
        });
    }

    /// Adds what is wrong with a key together with others.
    pub(super) fn wrong(&mut self, name: &str, what: impl Into<String>, allowed: impl Into<String>) {
        let origin = self.origin(name);
        self.problems.push(Problem { origin, what: what.into(), allowed: allowed.into() });
    }

    pub(super) fn origin(&self, name: &str) -> Origin {
        self.values.get(name).map_or(Origin::Default, |value| value.origin.clone())
    }

    /// The first of these keys that was said.
    pub(super) fn any(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| self.values.contains_key(name))
    }

    /// The first key that was said of a section.
    pub(super) fn of_section(&self, section: &str) -> Option<&'static str> {
        self.values.keys().copied().find(|name| name.starts_with(section))
    }

    pub(super) fn secret(&self, name: &str) -> Option<SecretString> {
        self.values.get(name).map(|value| value.text.clone())
    }

    /// What was said, or the default if there is one.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let said = self.values.get(name).map(|value| value.text.expose_secret().to_owned());
        said.or_else(|| named(name).map(|key| key.default.to_owned()).filter(|default| !default.is_empty()))
    }

    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text == "true")
    }

    /// A number that was checked, or its default; within the bounds of its key, so it fits.
    pub(super) fn number<N: TryFrom<u32> + Default>(&self, name: &str) -> N {
        let number = self
            .text(name)
            .and_then(|text| text.parse().ok())
            .and_then(|number: u32| N::try_from(number).ok());
        number.unwrap_or_default()
    }

    pub(super) fn duration(&self, name: &str) -> Duration {
        self.text(name).and_then(|text| duration(&text)).unwrap_or_default()
    }

    /// Whether the value of a key is that of its choices.
    pub(super) fn is(&self, name: &str, choice: &str) -> bool {
        debug_assert!(
            named(name).is_some_and(|key| matches!(key.kind, Kind::Choice(all) if all.contains(&choice)))
        );
        self.text(name).is_some_and(|text| text == choice)
    }
}
