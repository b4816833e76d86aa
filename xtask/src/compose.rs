//! `cargo xtask compose`: the compose files as the real parser of Docker Compose understands them, against the rules of
//! the room beside this one. No container engine is needed: the parser is built from its Go module once.

mod rules;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    shell::{quiet, say, which},
    stack::{cache, lock},
    suites::metadata,
};

/// The parser, with its version.
const MODULE: &str = "github.com/docker/compose/v2@v2.40.3";
const BUILT: &str = "palinode-compose-v2.40.3";

/// Checks every profile, and the file that the image of the example is made by.
///
/// # Errors
/// The parser refuses the files, or a rule is broken.
pub(crate) fn check(parser: &Parser) -> Result<()> {
    let folder = PathBuf::from(metadata()?.workspace_root).join("compose");
    let dockerfile = fs::read_to_string(folder.join("booking.Dockerfile"))?;
    let mut broken = rules::image(&dockerfile);
    for (profile, services) in rules::PROFILES {
        let config = parser.config(&folder.join("compose.yaml"), profile)?;
        broken.extend(
            rules::broken(&config, services).into_iter().map(|what| format!("profile {profile:?}: {what}")),
        );
    }
    if !broken.is_empty() {
        bail!("compose files:\n  {}", broken.join("\n  "));
    }
    say("the compose files are as they should be\n");
    Ok(())
}

/// The real parser of Docker Compose.
pub(crate) struct Parser(Vec<String>);

impl Parser {
    /// The one that is installed, or the one that was built, or one built now: two minutes on two cores.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub(crate) fn find() -> Result<Self> {
        if quiet(Command::new("docker").args(["compose", "version"])).is_ok() {
            return Ok(Self(vec!["docker".to_owned(), "compose".to_owned()]));
        }
        let cache = cache()?;
        let _lock = lock(&cache.join(BUILT).with_extension("lock"))?;
        let built = cache.join(BUILT);
        if !built.is_file() {
            build(&built)?;
        }
        Ok(Self(vec![built.display().to_string()]))
    }

    fn config(&self, file: &Path, profile: &str) -> Result<Value> {
        let (program, first) = self.0.split_first().context("a parser has a name")?;
        let mut command = Command::new(program);
        command.args(first).arg("--file").arg(file);
        if !profile.is_empty() {
            command.args(["--profile", profile]);
        }
        let text = quiet(command.args(["config", "--format", "json"]))?;
        serde_json::from_str(&text).context("the parser wrote no JSON")
    }
}

/// Inside the module's own folder: with its own sums of what it depends on.
fn build(to: &Path) -> Result<()> {
    let go = which("go").context("Go is missing, 1.24 or newer: https://go.dev/dl")?;
    say("building the parser of Docker Compose, once\n");
    let known = quiet(Command::new(&go).args(["mod", "download", "-json", MODULE]))?;
    let known: Value = serde_json::from_str(&known)?;
    let source = known.get("Dir").and_then(Value::as_str).context("go mod download said no folder")?;
    let fresh = to.with_extension("new");
    let mut command = Command::new(go);
    command.args(["build", "-C", source, "-trimpath", "-o"]).arg(&fresh).arg("./cmd");
    quiet(command.env("GOFLAGS", "-mod=readonly"))?;
    fs::rename(fresh, to).context("cannot keep the parser")
}
