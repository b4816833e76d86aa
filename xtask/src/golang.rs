//! Programs of others that are written in Go: each is built once from its module and kept in the cache. Knows no single
//! one of them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    shell::{quiet, say, which},
    stack::lock,
};

/// A program, and where it comes from.
pub(crate) struct Program {
    /// What people call it.
    pub(crate) name: &'static str,
    /// Its module, with its version.
    pub(crate) module: &'static str,
    /// Where its `main` is inside the module.
    pub(crate) main: &'static str,
    /// What it is called in the cache. The cache may be shared: nobody else calls anything so.
    pub(crate) kept: &'static str,
    /// What a person has to be patient with.
    pub(crate) takes: &'static str,
}

impl Program {
    /// The one in the cache, built now if it is not there. Whoever else wants it waits.
    ///
    /// # Errors
    /// What is missing, and how to get it; or it cannot be built.
    pub(crate) fn built(&self, cache: &Path) -> Result<PathBuf> {
        let program = self.place(cache);
        let _lock = lock(&program.with_extension("lock"))?;
        if !program.is_file() {
            self.build(&program)?;
        }
        Ok(program)
    }

    /// Where it is once it is built.
    pub(crate) fn place(&self, cache: &Path) -> PathBuf {
        cache.join(self.kept)
    }

    /// Inside the module's own folder: with its own sums of what it depends on. Others may be building meanwhile, and
    /// somebody waits for them.
    fn build(&self, to: &Path) -> Result<()> {
        let go = which("go").context("Go is missing, 1.24 or newer: https://go.dev/dl")?;
        say(&format!("building {}, once: {}\n", self.name, self.takes));
        let known = quiet(Command::new(&go).args(["mod", "download", "-json", self.module]))?;
        let known: Value = serde_json::from_str(&known)?;
        let source = known.get("Dir").and_then(Value::as_str).context("go mod download said no folder")?;
        let fresh = to.with_extension("new");
        let mut command = match which("nice") {
            Some(nice) => {
                let mut command = Command::new(nice);
                command.args(["-n", "10"]).arg(go);
                command
            }
            None => Command::new(go),
        };
        command.args(["build", "-C", source, "-trimpath", "-o"]).arg(&fresh).arg(self.main);
        quiet(command.env("GOFLAGS", "-mod=readonly"))
            .with_context(|| format!("{} cannot be built", self.name))?;
        fs::rename(fresh, to).with_context(|| format!("cannot keep {}", to.display()))
    }
}
