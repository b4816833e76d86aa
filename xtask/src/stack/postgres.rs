//! One PostgreSQL server with the newest binaries that are installed. It syncs what it commits; it trusts whoever comes,
//! because only this machine can come.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{
    place::{Place, Record},
    process::Signal,
    server::Server,
    tools,
    user::{as_user, folder, unprivileged},
};
use crate::shell::{quiet, which};

/// The superuser, its database, and the user of the system that Debian makes for the server.
const POSTGRES: &str = "postgres";
/// Where Debian puts the binaries of each version.
const DEBIAN: &str = "/usr/lib/postgresql";

pub(crate) struct Postgres;

impl Server for Postgres {
    fn name(&self) -> &'static str {
        POSTGRES
    }

    fn variable(&self) -> &'static str {
        "PALINODE_POSTGRES"
    }

    fn ports(&self) -> usize {
        1
    }

    fn install(&self, _cache: &Path) -> Result<()> {
        binaries().map(drop)
    }

    fn prepare(&self, place: &Place, ports: &[u16]) -> Result<PathBuf> {
        let &[port] = ports else { bail!("PostgreSQL has one port") };
        let user = unprivileged(POSTGRES)?;
        let data = folder(&place.data, user)?;
        let mut initdb = Command::new(binaries()?.join("initdb"));
        initdb
            .args(["-U", POSTGRES, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data);
        quiet(as_user(&mut initdb, user).current_dir(&data)).context("its folder cannot be made")?;
        let file = data.join("postgresql.conf");
        let defaults = fs::read_to_string(&file)?;
        fs::write(file, defaults + &settings(port))?;
        Ok(data)
    }

    fn command(&self, _place: &Place, data: &str) -> Result<Command> {
        let mut command = Command::new(binaries()?.join("postgres"));
        as_user(command.args(["-D", data]), unprivileged(POSTGRES)?).current_dir(data);
        Ok(command)
    }

    fn ask(&self, record: &Record) -> Result<()> {
        let port = record.port().to_string();
        let mut psql = Command::new(binaries()?.join("psql"));
        psql.args([
            "-X",
            "-q",
            "-w",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            POSTGRES,
            "-c",
            "select 1",
            POSTGRES,
        ]);
        // Whatever the person has set for another server is not for this one.
        quiet(psql.env_clear().env("PGCONNECT_TIMEOUT", "5")).map(drop)
    }

    fn address(&self, record: &Record) -> String {
        format!("postgres://{POSTGRES}@127.0.0.1:{}/{POSTGRES}", record.port())
    }

    fn farewell(&self) -> Signal {
        // Fast: it ends the sessions of its clients and stops in order.
        Signal::INT
    }
}

/// What differs from PostgreSQL's own defaults.
fn settings(port: u16) -> String {
    let lines = [
        ("listen_addresses", "'127.0.0.1'".to_owned()),
        ("port", port.to_string()),
        // The path of a socket may not be longer than some folders are.
        ("unix_socket_directories", "''".to_owned()),
        // Tests run side by side, each with a database and pools of its own.
        ("max_connections", "200".to_owned()),
        ("fsync", "on".to_owned()),
        ("log_line_prefix", "'%m [%p] %a '".to_owned()),
    ];
    lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
}

/// Where `initdb`, `postgres` and `psql` are.
fn binaries() -> Result<PathBuf> {
    tools::find("PostgreSQL", &["postgresql"], || {
        let folder = |program: &str| which(program)?.parent().map(Path::to_owned);
        newest(versions(Path::new(DEBIAN))).or_else(|| folder("initdb"))
    })
}

/// The versions that lie in this folder, with where their binaries are.
fn versions(folder: &Path) -> Vec<(u32, PathBuf)> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let versions = found.filter_map(|entry| {
        let version = entry.file_name().to_str()?.parse().ok()?;
        let binaries = entry.path().join("bin");
        binaries.join("initdb").is_file().then_some((version, binaries))
    });
    versions.collect()
}

fn newest(versions: Vec<(u32, PathBuf)>) -> Option<PathBuf> {
    versions.into_iter().max().map(|(_, folder)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_version_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17", "common"] {
            fs::create_dir_all(folder.path().join(version).join("bin")).unwrap();
            // Version 17 is only a client.
            if version != "17" {
                fs::write(folder.path().join(version).join("bin/initdb"), "").unwrap();
            }
        }
        assert_eq!(newest(versions(folder.path())), Some(folder.path().join("15/bin")));
        assert_eq!(newest(versions(Path::new("/nowhere"))), None);
    }

    #[test]
    fn it_listens_here_only_and_syncs() {
        let text = settings(20_003);
        for line in ["listen_addresses = '127.0.0.1'", "port = 20003", "fsync = on", "max_connections = 200"]
        {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
