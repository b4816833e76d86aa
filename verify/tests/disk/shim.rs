//! Runs this test program again with the shim under it, and brings back what was recorded. Compiles the shim with the C
//! compiler that SQLite's own build needs as well.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

use crate::journal::{self, Op};

const BASE: &str = "PALINODE_DISK_BASE";
const JOURNAL: &str = "PALINODE_DISK_JOURNAL";
const NOTES: &str = "PALINODE_DISK_NOTES";
const FAULT: &str = "PALINODE_DISK_FAULT";
const STEPS: &str = "PALINODE_DISK_STEPS";

/// What a child is told: the folder, where its notes go, and which steps.
pub(crate) fn role() -> Option<(PathBuf, PathBuf, String)> {
    Some((env::var_os(BASE)?.into(), env::var_os(NOTES)?.into(), env::var(STEPS).ok()?))
}

/// A folder in memory where there is one: nothing here needs a real disk.
pub(crate) fn place() -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    place.unwrap()
}

/// The shim, compiled once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = SHIM.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk/shim.c");
        let flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"];
        let built = Command::new("cc").args(flags).arg("-o").arg(&path).arg(source).arg("-ldl").output();
        let built = built.expect("a C compiler named `cc`");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        (dir, path)
    });
    path
}

/// Runs the steps on the files of the base, in a process of their own. `fault` is what the shim is told to fail.
pub(crate) fn record(base: &Path, test: &str, steps: &str, fault: Option<&str>) -> Vec<Op> {
    let beside = tempfile::tempdir().unwrap();
    let journal = beside.path().join("journal");
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("LD_PRELOAD", shim())
        .env(BASE, base)
        .env(JOURNAL, &journal)
        .env(NOTES, beside.path().join("notes"))
        .env(STEPS, steps);
    if let Some(fault) = fault {
        command.env(FAULT, fault);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{fault:?}: {text}\n{errors}");
    journal::read(&journal)
}
