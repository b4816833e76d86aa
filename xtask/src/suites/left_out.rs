//! What did not run, why, and what would make it run. Tests that leave something out by themselves write a line into the
//! file that `PALINODE_SKIPPED` names.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::targets::{Metadata, Suite};

/// The variable with the name of the file.
const VARIABLE: &str = "PALINODE_SKIPPED";

/// Something that did not run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    what: String,
    why: String,
    /// The command that makes it run.
    how: String,
}

impl LeftOut {
    /// The compose files were not checked.
    pub(crate) fn compose(why: &str) -> Self {
        let what = "the compose files, by the real parser".to_owned();
        Self { what, why: why.to_owned(), how: "cargo xtask compose".to_owned() }
    }

    pub(crate) fn suite(suite: &Suite, why: &str) -> Self {
        Self {
            what: format!("{} ({})", suite.name, suite.packages.join(", ")),
            why: why.to_owned(),
            how: format!("cargo xtask test --test {} -- --ignored", suite.name),
        }
    }
}

/// The list for the end of a run: nothing, or something that nobody overlooks.
pub(crate) fn told(all: &[LeftOut]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let bar = "=".repeat(100);
    let mut text = format!("\n{bar}\nNOT RUN: {}\n", all.len());
    for LeftOut { what, why, how } in all {
        let _ = write!(text, "\n  {what}\n    why: {}\n    then: {how}\n", why.replace('\n', "\n         "));
    }
    text + &bar + "\n"
}

/// The file in which tests say what they leave out.
pub(crate) struct Skipped(PathBuf);

impl Skipped {
    /// An empty one.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn collect(metadata: &Metadata) -> Result<Self> {
        let file = Path::new(&metadata.target_directory).join("skipped.txt");
        fs::write(&file, "").with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self(file))
    }

    pub(crate) fn env(&self) -> (&str, &str) {
        (VARIABLE, self.0.to_str().unwrap_or_default())
    }

    /// What was written into it.
    pub(crate) fn read(&self) -> Vec<LeftOut> {
        skipped(&fs::read_to_string(&self.0).unwrap_or_default())
    }
}

/// Lines of `what: why`.
fn skipped(text: &str) -> Vec<LeftOut> {
    let line = |line: &str| {
        let (what, why) = line.split_once(": ").unwrap_or((line, "it did not say"));
        LeftOut { what: what.to_owned(), why: why.to_owned(), how: "cargo xtask test".to_owned() }
    };
    text.lines().filter(|text| !text.trim().is_empty()).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(told(&[]), "");
        assert_eq!(skipped("\n"), []);
    }

    #[test]
    fn what_was_left_out_is_said_with_its_reason_and_its_remedy() {
        let suite =
            Suite { name: "kafka_log".into(), packages: vec!["palinode".into()], servers: &["kafka"] };
        let mut all = vec![LeftOut::suite(&suite, "kafka does not run: Java 17 is missing")];
        all.extend(skipped("the guide was not tried: there is no curl\nodd\n"));
        let text = told(&all);
        for part in [
            "NOT RUN: 3",
            "kafka_log (palinode)",
            "why: kafka does not run: Java 17 is missing",
            "then: cargo xtask test --test kafka_log -- --ignored",
            "the guide was not tried\n    why: there is no curl",
            "odd\n    why: it did not say",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
