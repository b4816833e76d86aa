//! Runs the program in a folder of its own and reads what it says.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// A folder with data, removed at the end.
pub(crate) struct Data(tempfile::TempDir);

impl Data {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Runs a command on this data; its JSON, and whether it was a success.
    pub(crate) fn run(&self, args: &[&str]) -> (Value, bool) {
        let output = self.output(args);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let last = stdout.lines().last().unwrap_or_default();
        let json = serde_json::from_str(last).unwrap_or_else(|e| {
            panic!("{e} in the last line of\n{stdout}\n{}", String::from_utf8_lossy(&output.stderr))
        });
        (json, output.status.success())
    }

    /// Runs a command that must succeed; its JSON.
    #[track_caller]
    pub(crate) fn good(&self, args: &[&str]) -> Value {
        let (json, success) = self.run(args);
        assert!(success, "{args:?} said {json}");
        json
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_booking");
        Command::new(program).args(args).arg("--json").arg("--data").arg(self.folder()).output().unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }
}
