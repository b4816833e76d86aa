//! A place of one's own on the servers that the environment names, and processes of the program that share it.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use palinode::store::postgres::fresh::FreshDatabase;
use serde_json::Value;
use sqlx::{ConnectOptions, postgres::PgSslMode};

/// A prefix for topics, a database, a folder for the bank: nobody else's.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    database: FreshDatabase,
    prefix: String,
    kafka: String,
    /// More that its processes are told.
    told: Vec<(&'static str, String)>,
}

/// A process and what it says. Killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Place {
    /// Nothing is there yet.
    pub(crate) async fn new() -> Self {
        let kafka = std::env::var("PALINODE_KAFKA")
            .expect("PALINODE_KAFKA is not set: `cargo xtask test` starts the servers and runs these tests");
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        let prefix = format!("b{}-{}.", std::process::id(), name.trim_start_matches('.'));
        Self { database: FreshDatabase::new().await.unwrap(), prefix, kafka, folder, told: Vec::new() }
    }

    /// Its processes are told this as well, by a variable.
    #[allow(dead_code, reason = "not every test has more to tell")]
    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.told.push((variable, value.to_owned()));
        self
    }

    /// The way to its log: what leads to the cluster, and what stands before the names of topics.
    #[allow(dead_code, reason = "not every test reads the log itself")]
    pub(crate) fn kafka(&self) -> (BTreeMap<String, String>, &str) {
        ([("bootstrap.servers".to_owned(), self.kafka.clone())].into(), &self.prefix)
    }

    /// With the four services, of four shards each.
    pub(crate) async fn created() -> Self {
        let place = Self::new().await;
        let shards = place.good(&["create", "--shards", "4", "--replication", "1"]);
        assert_eq!(shards, serde_json::json!({"car": 4, "flight": 4, "hotel": 4, "trip": 4}));
        place
    }

    /// The program in this place.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let database = self.database.options().ssl_mode(PgSslMode::Disable).to_url_lossy();
        let mut command = Command::new(env!("CARGO_BIN_EXE_booking"));
        command.args(args).arg("--data").arg(self.folder.path());
        command
            .env("PALINODE_KAFKA_BOOTSTRAP", &self.kafka)
            .env("PALINODE_KAFKA_PREFIX", &self.prefix)
            .env("PALINODE_KAFKA_PRODUCERS", "2")
            .env("PALINODE_POSTGRES_URL", database.as_str())
            .env("RUST_LOG", "warn")
            // Tests tell nobody, unless they say so.
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .envs(self.told.iter().map(|(variable, value)| (variable, value)));
        command
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).arg("--json").output().unwrap()
    }

    /// Runs a command that must succeed; its JSON.
    #[track_caller]
    pub(crate) fn good(&self, args: &[&str]) -> Value {
        let output = self.output(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}\n{out}\n{err}");
        serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap()
    }

    /// What a command that must be refused says.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// A process that runs these services; returns when it does.
    pub(crate) fn run(&self, services: &str) -> Process {
        self.start(&["run", "--services", services], "running ").0
    }

    /// A process, when it says a line that begins so; and the rest of the line.
    pub(crate) fn start(&self, args: &[&str], says: &str) -> (Process, String) {
        let mut child = self.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Process { child, said };
        let line = process.says().unwrap_or_else(|| panic!("{args:?} ended without a word"));
        let rest = line.strip_prefix(says).unwrap_or_else(|| panic!("{args:?} said {line:?}"));
        (process, rest.to_owned())
    }
}

impl Process {
    /// The next line that it says, before it ends.
    pub(crate) fn says(&mut self) -> Option<String> {
        self.said.next().map(Result::unwrap)
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself, well.
    pub(crate) fn ended(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Asks it to stop, as an operator does, and waits until it has.
    pub(crate) fn stop(self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.ended();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
