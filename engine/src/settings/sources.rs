//! Where settings come from, one source after the other. Each says what it knows under the names of its own; the last
//! word on a key wins. Names that nobody knows are refused with the nearest that is known.

use std::{ffi::OsString, path::Path};

use super::{
    Settings, file,
    given::Given,
    keys::{KEYS, Key, Kind, named, nearest},
    origin::{Origin, Problem, SettingsError},
};

/// Variables with our prefix that are not settings: where tests find servers.
const OF_TESTS: [&str; 2] = ["PALINODE_KAFKA", "PALINODE_POSTGRES"];

/// Sources of settings, in the order in which they are asked: later ones win.
#[derive(Debug, Default)]
#[must_use = "sources say nothing until they are asked for settings"]
pub struct Sources {
    given: Given,
    level: u32,
}

/// A name under which a key is said in some source, and whether it names a file with the value.
struct Name {
    name: String,
    key: &'static Key,
    in_file: bool,
}

/// Every name of a source: that of each key, and of the file of each secret.
fn names(of: impl Fn(&Key) -> Option<String>, file: impl Fn(&Key) -> String) -> Vec<Name> {
    let mut all = Vec::new();
    for key in KEYS {
        all.extend(of(key).map(|name| Name { name, key, in_file: false }));
        if key.kind == Kind::Secret {
            all.push(Name { name: file(key), key, in_file: true });
        }
    }
    all
}

impl Sources {
    /// None: everything is as it is when nothing is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file in TOML, which must be there.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.level += 1;
        let entries = match file::read(path.as_ref()) {
            Ok(entries) => entries,
            Err(problem) => {
                self.given.problems.push(problem);
                return self;
            }
        };
        let names = names(|key| Some(key.name.to_owned()), |key| format!("{}_file", key.name));
        for entry in entries {
            match (names.iter().find(|name| name.name == entry.key), entry.value) {
                (None, _) => self.unknown(&entry.key, entry.origin, &names),
                (Some(_), Err(what)) => self.wrong(entry.origin, what, String::new()),
                (Some(name), Ok(text)) => self.say(name, &text, entry.origin),
            }
        }
        self
    }

    /// The environment: `std::env::vars_os()`. What does not concern us is passed over, but not what only looks wrong.
    pub fn environment<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.level += 1;
        let names = names(|key| Some(key.variable()), |key| key.variable() + "_FILE");
        for (variable, value) in variables {
            let Ok(variable) = variable.into().into_string() else { continue };
            if !variable.starts_with("PALINODE_") || OF_TESTS.contains(&variable.as_str()) {
                continue;
            }
            let origin = Origin::Variable(variable.clone());
            match (names.iter().find(|name| name.name == variable), value.into().into_string()) {
                (Some(name), Ok(text)) => self.say(name, &text, origin),
                (Some(_), Err(_)) => self.wrong(origin, "this is no text".into(), "UTF-8".into()),
                (None, _) if concerns_us(&variable, &names) => self.unknown(&variable, origin, &names),
                // Of the program, or of somebody else.
                (None, _) => {}
            }
        }
        self
    }

    /// A value by a flag that the program has read itself, for a key of [`KEYS`].
    pub fn flag(mut self, flag: &str, key: &str, value: impl Into<String>) -> Self {
        self.level += 1;
        let origin = Origin::Flag(flag.to_owned());
        match named(key) {
            Some(key) => self.given.say(key.name, &value.into(), origin, self.level, false),
            None => self.wrong(origin, format!("there is no setting {key:?}"), String::new()),
        }
        self
    }

    /// Takes the flags of all keys out of a command line, as `--flag VALUE` or `--flag=VALUE`, up to `--`; answers the
    /// rest of it, for the program.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = String>) -> (Self, Vec<String>) {
        self.level += 1;
        let names = names(|key| (key.kind != Kind::Secret).then(|| key.flag()), Key::flag);
        let (mut rest, mut arguments) = (Vec::new(), arguments.into_iter());
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                rest.push(argument);
                rest.extend(arguments);
                break;
            }
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let Some(name) = names.iter().find(|name| name.name == flag) else {
                rest.push(argument);
                continue;
            };
            let origin = Origin::Flag(flag.to_owned());
            // A flag alone means yes.
            let value = value
                .or_else(|| if name.key.kind == Kind::Bool { Some("true".into()) } else { arguments.next() });
            match value {
                Some(value) => self.say(name, &value, origin),
                None => self.wrong(origin, "there is nothing behind it".into(), name.key.allowed()),
            }
        }
        (self, rest)
    }

    /// What all of them say.
    ///
    /// # Errors
    /// Everything that is wrong, each with where it came from and what is allowed.
    pub fn settings(mut self) -> Result<Settings, SettingsError> {
        self.given.check();
        let settings = Settings::of(&mut self.given);
        if self.given.problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError::new(self.given.problems))
        }
    }

    fn say(&mut self, name: &Name, text: &str, origin: Origin) {
        self.given.say(name.key.name, text, origin, self.level, name.in_file);
    }

    fn wrong(&mut self, origin: Origin, what: String, allowed: String) {
        self.given.problems.push(Problem { origin, what, allowed });
    }

    fn unknown(&mut self, said: &str, origin: Origin, names: &[Name]) {
        let near = nearest(said, names.iter().map(|name| name.name.clone()));
        let allowed = near
            .map_or_else(|| "docs/configuration.md lists all".into(), |near| format!("did you mean {near}?"));
        self.wrong(origin, "there is no such setting".into(), allowed);
    }
}

/// A variable of one of our sections, or one that is nearly ours.
fn concerns_us(variable: &str, names: &[Name]) -> bool {
    ["PALINODE_KAFKA_", "PALINODE_POSTGRES_", "PALINODE_CREATE_"]
        .iter()
        .any(|section| variable.starts_with(section))
        || nearest(variable, names.iter().map(|name| name.name.clone())).is_some()
}
