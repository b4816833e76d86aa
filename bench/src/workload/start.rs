//! W6: a cold start on an empty folder to the end of the first saga, process and all; how large the program is and how many
//! packages it is made of.

use std::{collections::BTreeSet, process::Command};

use anyhow::Context as _;

use crate::{
    child::Running,
    figure::{Figure, Mark},
    host,
    setting::Setting,
};

/// Milliseconds, megabytes, packages.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut cold = Vec::new();
    for _ in 0..setting.repeat.max(5) {
        let dir = tempfile::tempdir()?;
        let begun = host::now();
        let mut child = Running::start("first", dir.path())?;
        child.until_done().await?;
        cold.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    let size = std::fs::metadata(std::env::current_exe()?)?.len() as f64 / 1e6;
    Ok(vec![
        Figure::new("W6", "from the start of a process on an empty folder to its first saga", "ms", cold)
            .mark(Mark::AtMost(50.0)),
        Figure::new("W6", "size of this program, with line tables", "MB", vec![size]),
        Figure::new("W6", "packages in palinode-sagas, itself included", "packages", vec![packages()?]),
    ])
}

/// What an embedded program compiles, from the workspace's own lock file.
fn packages() -> anyhow::Result<f64> {
    let tree =
        ["tree", "--package", "palinode-sagas", "--features", "palinode/sqlite", "--edges", "normal,build"];
    let tree = Command::new("cargo").args(tree).args(["--prefix", "none", "--format", "{p}"]).output();
    let tree = tree.context("cargo tree cannot be run")?;
    anyhow::ensure!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout)?;
    let names: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(names.len() as f64)
}
