//! Who runs a server that refuses to run as root: the user made for it, or nobody. When we are not root it is us.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use rustix::process::geteuid;

use super::place::remove;
use crate::shell::{quiet, say};

/// A user by number: who, and in which group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    id: u32,
    group: u32,
}

/// Whether we may do everything here.
pub(crate) fn root() -> bool {
    geteuid().is_root()
}

/// An unprivileged user when we are root; nothing to change otherwise.
///
/// # Errors
/// There is none of these names.
pub(crate) fn unprivileged(preferred: &str) -> Result<Option<User>> {
    if !root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let user = lookup(&passwd, preferred).or_else(|| lookup(&passwd, "nobody"));
    user.map(Some)
        .with_context(|| format!("we are root, and there is no user {preferred} or nobody to run it"))
}

fn lookup(passwd: &str, name: &str) -> Option<User> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some(User { id: numbers.next()?.ok()?, group: numbers.next()?.ok()? })
}

/// Has the command run as this user, in no other group.
pub(crate) fn as_user(command: &mut Command, user: Option<User>) -> &mut Command {
    if let Some(User { id, group }) = user {
        // The standard library drops all other groups of root with this.
        command.gid(group).uid(id);
    }
    command
}

/// An empty folder of this user: where it is wanted, or in the folder for temporary files when the user may not go there.
///
/// # Errors
/// It cannot be made.
pub(crate) fn folder(wanted: &Path, user: Option<User>) -> Result<PathBuf> {
    let Some(owner) = user else {
        remove(wanted)?;
        fs::create_dir_all(wanted)?;
        return Ok(wanted.to_owned());
    };
    let aside = std::env::temp_dir().join(format!("palinode-stack-{}", std::process::id()));
    for folder in [wanted, &aside] {
        remove(folder)?;
        // Not with its parents: a name that somebody else has made is refused.
        fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        chown(folder, Some(owner.id), Some(owner.group))?;
        let look = format!("test -w '{}'", folder.display());
        if quiet(as_user(Command::new("sh").args(["-c", &look]).current_dir("/"), user)).is_ok() {
            return Ok(folder.to_owned());
        }
        remove(folder)?;
        say(&format!("user {} may not go to {}: taking another folder\n", owner.id, folder.display()));
    }
    anyhow::bail!("user {} may go neither to {} nor to {}", owner.id, wanted.display(), aside.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres-old:x:9:9::/:/bin/sh\n\
                      postgres:x:104:110:PostgreSQL:/var/lib/postgresql:/bin/bash\nbad:x:y:1::/:/bin/sh\n";
        assert_eq!(lookup(passwd, "postgres"), Some(User { id: 104, group: 110 }));
        assert_eq!(lookup(passwd, "post"), None);
        assert_eq!(lookup(passwd, "bad"), None);
    }
}
