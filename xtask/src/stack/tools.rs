//! Programs of others that a server needs: found, or installed where that is ours to do (root on Debian and its
//! children), or named together with the command that installs them.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::user::root;
use crate::shell::{quiet, say, which};

/// Looks for something; when it is not there, installs these Debian packages and looks again.
///
/// # Errors
/// It is not there and cannot be installed: the error says what is missing and how to get it.
pub(crate) fn find<T>(what: &str, packages: &[&str], look: impl Fn() -> Option<T>) -> Result<T> {
    if let Some(found) = look() {
        return Ok(found);
    }
    let how = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !root() || which("apt-get").is_none() {
        bail!("{what} is missing; on Debian: `{how}` as root, then again");
    }
    say(&format!("{what} is missing; {how}\n"));
    install(packages).with_context(|| format!("{what} is missing, and `{how}` did not work"))?;
    look().with_context(|| format!("{what} is still missing after `{how}`"))
}

fn install(packages: &[&str]) -> Result<()> {
    // Others may be installing at the same time.
    let patient = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2", "-q"];
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        quiet(command.args(patient).args(args).env("DEBIAN_FRONTEND", "noninteractive")).map(drop)
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    // The lists of packages may be there and fresh; when not, they are fetched.
    apt(&install).or_else(|_| apt(&["update"]).and_then(|()| apt(&install)))
}
