//! What a process is told, from the outside: who wins, what is refused and in which words, what is never printed, and
//! that the page tells all of it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[cfg(all(feature = "kafka", feature = "postgres"))]
mod adapters;
mod page;
mod refused;
mod secrets;
mod winners;

use palinode::settings::{Settings, Sources};
use tempfile::TempDir;

/// A folder with one file in it.
struct File(TempDir);

impl File {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("palinode.toml"), text).unwrap();
        Self(folder)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("palinode.toml")
    }

    /// Another file beside it, and its path.
    fn beside(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// What these variables alone say.
fn environment(variables: &[(&str, &str)]) -> Sources {
    Sources::new().environment(variables.iter().copied())
}

#[track_caller]
fn sound(sources: Sources) -> Settings {
    sources.settings().unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Everything that is wrong, a line each.
#[track_caller]
fn wrong(sources: Sources) -> Vec<String> {
    let error = sources.settings().err().unwrap();
    error.problems().iter().map(ToString::to_string).collect()
}
