//! `cargo xtask stack`: real servers on this machine, for tests and for trying things out. What runs is written down in
//! files under `target/stack`, one a server; a lock makes commands wait for each other. Knows no single server: those
//! are the rooms beside it.

mod http;
mod jaeger;
mod kafka;
mod place;
mod ports;
mod postgres;
mod process;
mod prometheus;
mod server;
mod tools;
mod user;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use jaeger::Jaeger;
use kafka::Kafka;
use place::Place;
use postgres::Postgres;
use prometheus::Prometheus;
pub(crate) use server::Server;
use server::State;

use crate::shell::{print, say};

/// Every server there is, in the order in which they start.
pub(crate) const SERVERS: [&dyn Server; 4] = [&Kafka, &Postgres, &Jaeger, &Prometheus];

/// Those that are meant when nobody says which; the others are asked for with a flag.
pub(crate) const USUAL: [&dyn Server; 2] = [&Kafka, &Postgres];

/// The stack that `cargo xtask test` uses.
const DEFAULT: &str = "default";

/// A set of servers with a name, and where their files are.
pub(crate) struct Stack {
    folder: PathBuf,
    cache: PathBuf,
}

/// What became of a server that was asked to run.
pub(crate) struct Started {
    pub(crate) server: &'static dyn Server,
    /// What tests are told of it, its address first, and whether it ran already; or why it does not run.
    pub(crate) outcome: Result<(Vec<(&'static str, String)>, bool)>,
}

impl Stack {
    /// The stack of this name below the target folder.
    ///
    /// # Errors
    /// The folder cannot be made, or the name is no name of a folder.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            bail!("{name:?} is no name for a stack: small letters, digits and hyphens are allowed");
        }
        Ok(Self { folder: made(target_folder()?.join(name))?, cache: cache()? })
    }

    pub(crate) fn default() -> Result<Self> {
        Self::open(DEFAULT)
    }

    /// Has all these servers running and answering. One that cannot run does not keep the others from it.
    ///
    /// # Errors
    /// The lock cannot be taken.
    pub(crate) fn up(&self, wanted: &[&'static dyn Server]) -> Result<Vec<Started>> {
        let _lock = lock(&self.folder.join("lock"))?;
        let started = |server: &&'static dyn Server| {
            let place = Place::of(*server, &self.folder, &self.cache);
            let told = |(record, ran)| {
                let mut told = vec![(server.variable(), server.address(&record))];
                told.extend(server.more(&record));
                (told, ran)
            };
            Started { server: *server, outcome: server::up(*server, &place).map(told) }
        };
        Ok(wanted.iter().map(started).collect())
    }

    /// Ends these servers and removes their data; their logs stay until they start again.
    ///
    /// # Errors
    /// One of them does not end.
    pub(crate) fn down(&self, wanted: &[&'static dyn Server]) -> Result<()> {
        let _lock = lock(&self.folder.join("lock"))?;
        for server in wanted.iter().rev() {
            if server::down(*server, &Place::of(*server, &self.folder, &self.cache))? {
                say(&format!("{} has ended\n", server.name()));
            }
        }
        Ok(())
    }

    /// These, and every other that was started.
    fn with_all_known(&self, mut wanted: Vec<&'static dyn Server>) -> Result<Vec<&'static dyn Server>> {
        for server in SERVERS {
            let place = Place::of(server, &self.folder, &self.cache);
            if wanted.iter().all(|wanted| wanted.name() != server.name()) && place.record()?.is_some() {
                wanted.push(server);
            }
        }
        Ok(wanted)
    }

    /// What is known of each, for programs.
    fn described(&self, wanted: &[&'static dyn Server]) -> Result<()> {
        let mut all = Vec::new();
        for server in wanted {
            if let Some(record) = Place::of(*server, &self.folder, &self.cache).record()? {
                let (name, address) = (server.name(), server.address(&record));
                all.push(serde_json::json!({
                    "server": name, "address": address, "pid": record.pid, "ports": record.ports, "log": record.log,
                }));
            }
        }
        print(serde_json::Value::from(all));
        Ok(())
    }

    /// Where the programs of a server are, and the variable that tells tests.
    pub(crate) fn programs(&self, server: &dyn Server) -> Option<(&'static str, String)> {
        server.programs(&self.cache).map(|(variable, folder)| (variable, folder.display().to_string()))
    }

    fn status(&self, wanted: &[&'static dyn Server]) -> Result<()> {
        let mut idle = Vec::new();
        for server in wanted {
            let place = Place::of(*server, &self.folder, &self.cache);
            let line = match server::state(*server, &place)? {
                State::Absent => "not running".to_owned(),
                State::Dead(record) => {
                    format!("died, it was process {}; its log: {}", record.pid, record.log)
                }
                State::Silent(record, why) => {
                    format!("does not answer ({why:#}), process {}; its log: {}", record.pid, record.log)
                }
                State::Ready(record) => {
                    format!(
                        "ready at {}, process {}; its log: {}",
                        server.address(&record),
                        record.pid,
                        record.log
                    )
                }
            };
            if !line.starts_with("ready") {
                idle.push(server.name());
            }
            print(format_args!("{:10} {line}", server.name()));
        }
        if !idle.is_empty() {
            bail!("not ready: {}; `cargo xtask stack up` starts what does not run", idle.join(", "));
        }
        Ok(())
    }
}

/// `cargo xtask stack ARGS`.
pub(crate) fn command(args: &[String]) -> Result<()> {
    let Asked { verb, name, export, json, all, mut wanted } = Asked::read(args)?;
    let stack = Stack::open(&name)?;
    if all && verb != "up" {
        wanted = stack.with_all_known(wanted)?;
    }
    match verb.as_str() {
        "up" => report(&stack, stack.up(&wanted)?, export),
        "down" => stack.down(&wanted),
        "status" if json => stack.described(&wanted),
        "status" => stack.status(&wanted),
        other => bail!("{other:?} is not one of up, down, status"),
    }
}

fn report(stack: &Stack, all: Vec<Started>, export: bool) -> Result<()> {
    let mut failed = Vec::new();
    for Started { server, outcome } in all {
        let name = server.name();
        match outcome {
            Ok((told, _)) if export => {
                for (variable, value) in told {
                    print(format_args!("export {variable}='{value}'"));
                }
                if let Some((variable, folder)) = stack.programs(server) {
                    print(format_args!("export {variable}='{folder}'"));
                }
            }
            Ok((told, ran)) => {
                let address = told.first().map_or("", |(_, address)| address);
                print(format_args!("{name:10} {address}{}", if ran { "  (ran already)" } else { "" }));
            }
            Err(why) => failed.push(format!("{name} does not run: {why:#}")),
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    if !export {
        say("for a shell:  eval \"$(cargo xtask stack up --export)\"\n");
    }
    Ok(())
}

/// What a person asked for.
struct Asked {
    verb: String,
    name: String,
    export: bool,
    json: bool,
    /// Nobody said which: whatever else was started is meant as well by verbs that start nothing.
    all: bool,
    wanted: Vec<&'static dyn Server>,
}

impl Asked {
    fn read(args: &[String]) -> Result<Self> {
        let mut asked = Self {
            verb: String::new(),
            name: DEFAULT.to_owned(),
            export: false,
            json: false,
            all: false,
            wanted: Vec::new(),
        };
        let mut args = args.iter().map(String::as_str);
        asked.verb = args.next().context("say one of: up, down, status")?.to_owned();
        let mut beside: Vec<&'static dyn Server> = Vec::new();
        while let Some(arg) = args.next() {
            match arg {
                "--jaeger" => beside.push(&Jaeger),
                "--prometheus" => beside.push(&Prometheus),
                "--export" if asked.verb == "up" => asked.export = true,
                "--json" if asked.verb == "status" => asked.json = true,
                "--name" => asked.name = args.next().context("--name wants a name")?.to_owned(),
                other => asked.wanted.push(named(other)?),
            }
        }
        if asked.wanted.is_empty() {
            asked.wanted.extend(USUAL);
            asked.all = beside.is_empty();
        }
        asked.wanted.extend(beside);
        Ok(asked)
    }
}

/// The server of this name; when there is none, the error lists those there are.
fn named(name: &str) -> Result<&'static dyn Server> {
    SERVERS.into_iter().find(|server| server.name() == name).with_context(|| {
        format!("{name:?} is no server; there are: {}", SERVERS.map(|server| server.name()).join(", "))
    })
}

/// Waits until no other command works on what this file guards. The lock ends with the value, and with the process.
///
/// # Errors
/// The file cannot be made or locked.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    if file.try_lock().is_err() {
        say("another command works on the stack; waiting for it\n");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Where programs are kept that were fetched or built once.
///
/// # Errors
/// The folder cannot be made.
pub(crate) fn cache() -> Result<PathBuf> {
    made(match std::env::var_os("PALINODE_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => target_folder()?.join("cache"),
    })
}

fn target_folder() -> Result<PathBuf> {
    Ok(PathBuf::from(crate::suites::metadata()?.target_directory).join("stack"))
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked> {
        Asked::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_command_line_is_understood_or_refused() {
        let all = read("up --export").unwrap();
        assert!(all.export && all.name == DEFAULT);
        assert_eq!(all.wanted.iter().map(|s| s.name()).collect::<Vec<_>>(), ["kafka", "postgres"]);
        let one = read("down postgres --name other").unwrap();
        assert_eq!((one.verb.as_str(), one.name.as_str(), one.wanted.len()), ("down", "other", 1));
        let names = |line| read(line).unwrap().wanted.iter().map(|s| s.name()).collect::<Vec<_>>();
        assert_eq!(names("up --jaeger --prometheus"), ["kafka", "postgres", "jaeger", "prometheus"]);
        assert_eq!(names("up jaeger"), ["jaeger"]);
        assert!(read("down").unwrap().all && !read("down --jaeger").unwrap().all);
        assert!(read("status --json").unwrap().json && !read("status").unwrap().json);
        for (line, why) in [
            ("", "say one of"),
            ("up oracle", "there are: kafka, postgres, jaeger, prometheus"),
            ("down --export", "is no server"),
            ("up --json", "is no server"),
            ("up --name", "wants a name"),
        ] {
            let error = read(line).err().unwrap().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn a_name_is_the_name_of_a_folder() {
        for name in ["", "..", "a/b", "A b"] {
            assert!(Stack::open(name).err().unwrap().to_string().contains("is no name"), "{name:?}");
        }
    }
}
