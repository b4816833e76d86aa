//! The files of the repository as text, by their path from its root.

use std::{collections::BTreeMap, fs, path::Path};

use crate::code::Code;

/// Folders that hold code or lists of ours.
const FOLDERS: [&str; 8] =
    ["engine", "sagas", "migrations", "examples", "verify", "xtask", "bench", "console"];

/// All files that a rule may look at.
#[derive(Default)]
pub(crate) struct Tree(BTreeMap<String, String>);

impl Tree {
    /// The repository this test was built from.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut tree = Self::default();
        for folder in FOLDERS {
            tree.read_folder(root, &root.join(folder));
        }
        for file in ["Cargo.toml", "README.md", "ARCHITECTURE.md"] {
            tree.read_file(root, &root.join(file));
        }
        assert!(
            tree.has("verify/tests/tidy/tree.rs") && tree.has("engine/src/lib.rs"),
            "this is no repository of ours"
        );
        tree
    }

    /// Some files, planted.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                self.read_folder(root, &path);
            } else if [".rs", ".toml", ".sql", ".md"].iter().any(|end| name.ends_with(end)) {
                self.read_file(root, &path);
            }
        }
    }

    fn read_file(&mut self, root: &Path, path: &Path) {
        let Ok(text) = fs::read_to_string(path) else { return };
        let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        self.0.insert(name, text);
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Paths and texts under a folder, with this ending.
    pub(crate) fn files<'a>(
        &'a self,
        under: &'a str,
        end: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files.filter(move |(path, _)| path.starts_with(under) && path.ends_with(end))
    }

    /// The code under a folder, without comments, strings and inline tests.
    pub(crate) fn code<'a>(&'a self, under: &'a str) -> impl Iterator<Item = (&'a str, Code)> {
        self.files(under, ".rs").map(|(path, text)| (path, Code::of(text)))
    }
}
