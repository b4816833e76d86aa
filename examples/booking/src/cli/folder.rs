//! Where the data lies when nobody says.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The example's folder inside the user's data folder.
const NAME: &str = "palinode-booking";

/// `$XDG_DATA_HOME/palinode-booking`, or the same under `~/.local/share`.
///
/// # Errors
/// When the environment names neither.
pub(super) fn default() -> anyhow::Result<PathBuf> {
    in_environment(|name| env::var_os(name).map(PathBuf::from))
}

/// A relative path in `XDG_DATA_HOME` is ignored, as the XDG Base Directory Specification asks.
fn in_environment(var: impl Fn(&str) -> Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let data = var("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let home = || var("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".local/share"));
    let folder =
        data.or_else(home).context("neither XDG_DATA_HOME nor HOME is set: say where with --data DIR")?;
    Ok(folder.join(NAME))
}

/// Says what to do when another process has the folder.
pub(super) fn in_use(e: anyhow::Error) -> anyhow::Error {
    if e.chain().any(|e| e.to_string().contains("locked by pid")) {
        e.context("another process works on this data: end it, or use its own road, `booking serve`'s HTTP")
    } else {
        e
    }
}

/// The size of a file and its write-ahead log, in bytes; none when it is not there.
pub(super) fn size(folder: &Path, name: &str) -> u64 {
    let bytes = |name: String| folder.join(name).metadata().map_or(0, |m| m.len());
    bytes(name.to_owned()) + bytes(format!("{name}-wal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(data: Option<&str>, home: Option<&str>) -> Option<PathBuf> {
        let var = |name: &str| if name == "HOME" { home } else { data }.map(PathBuf::from);
        in_environment(var).ok()
    }

    #[test]
    fn the_data_folder_of_the_user_is_used() {
        assert_eq!(found(Some("/d"), Some("/h")), Some("/d/palinode-booking".into()));
        assert_eq!(found(None, Some("/h")), Some("/h/.local/share/palinode-booking".into()));
        assert_eq!(found(Some("d"), Some("/h")), Some("/h/.local/share/palinode-booking".into()));
        assert_eq!(found(None, None), None);
    }
}
