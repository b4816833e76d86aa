//! Which numbers of generated trips are taken. A number is reserved durably before it is used, so that no run books the
//! trips of another one; what a killed run did not use is left out for ever.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The file: the next free number of each seed.
const FILE: &str = "generated.json";

#[derive(Default, Serialize, Deserialize)]
struct Next(BTreeMap<String, u64>);

/// Takes the next so many numbers of a seed and returns the first.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn reserve(folder: &Path, seed: u64, count: u64) -> anyhow::Result<u64> {
    let path = folder.join(FILE);
    let told = || format!("{}, which counts the trips made up so far", path.display());
    let mut next = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(told)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Next::default(),
        Err(e) => return Err(e).with_context(told),
    };
    let number = next.0.entry(seed.to_string()).or_default();
    let first = *number;
    *number = first.saturating_add(count);
    write(&path, &serde_json::to_vec(&next)?).with_context(told)?;
    Ok(first)
}

/// Replaces the file whole.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file = fs::File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_taken_twice() {
        let folder = tempfile::tempdir().unwrap();
        let take = |seed, count| reserve(folder.path(), seed, count).unwrap();
        assert_eq!((take(1, 10), take(1, 5), take(1, 1)), (0, 10, 15));
        assert_eq!((take(2, 3), take(2, 3)), (0, 3), "every seed has its own");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(format!("{:#}", reserve(folder.path(), 1, 1).unwrap_err()).contains(FILE));
    }
}
