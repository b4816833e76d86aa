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
    golang::Program,
    shell::{quiet, say},
    stack::cache,
    suites::metadata,
};

const PARSER: Program = Program {
    name: "the parser of Docker Compose",
    module: "github.com/docker/compose/v2@v2.40.3",
    main: "./cmd",
    kept: "palinode-compose-v2_40_3",
    takes: "two minutes on two cores",
};

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
        Ok(Self(vec![PARSER.built(&cache()?)?.display().to_string()]))
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
