//! A broker that one test starts, kills and starts again on its data. It is its own controller.

use std::{
    env,
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use palinode::log::kafka::{KafkaSettings, TopicSettings};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) struct Broker {
    dir: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    /// A broker with fresh data, that does not run yet. Clients talk to it by this protocol, and it is told this besides.
    pub(crate) fn new(protocol: &str, more: &[(&str, &str)]) -> Self {
        let (dir, port, controller) = (tempfile::tempdir().unwrap(), free_port(), free_port());
        let log = dir.path().join("log").display().to_string();
        let own = format!(
            "controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=CLIENTS://127.0.0.1:{port}\n\
             listener.security.protocol.map=CLIENTS:{protocol},CONTROLLER:PLAINTEXT\n\
             log.dirs={log}\n"
        );
        let fixed = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("controller.listener.names", "CONTROLLER"),
            ("inter.broker.listener.name", "CLIENTS"),
            ("auto.create.topics.enable", "false"),
            ("default.replication.factor", "1"),
            ("min.insync.replicas", "1"),
            ("offsets.topic.replication.factor", "1"),
            ("offsets.topic.num.partitions", "1"),
            ("transaction.state.log.replication.factor", "1"),
            ("transaction.state.log.min.isr", "1"),
            ("group.initial.rebalance.delay.ms", "0"),
            ("group.min.session.timeout.ms", "3000"),
        ];
        let lines = fixed.iter().chain(more).map(|(key, value)| format!("{key}={value}\n"));
        let broker = Self { dir, port, child: None };
        fs::write(broker.properties(), own + &lines.collect::<String>()).unwrap();
        let id = "palinode-a-test-brokerA";
        let args = ["kafka.tools.StorageTool", "format", "-t", &id[..22], "-c", &broker.properties()];
        broker.java(&[], &args);
        broker
    }

    fn properties(&self) -> String {
        self.dir.path().join("server.properties").display().to_string()
    }

    /// Where clients find it.
    pub(crate) fn settings(&self) -> KafkaSettings {
        let mut settings = KafkaSettings::new(format!("127.0.0.1:{}", self.port));
        settings.prefix = format!("t{}-", Uuid::now_v7().simple());
        settings.producers = Some(2);
        settings.session = std::time::Duration::from_secs(3);
        settings.topics = TopicSettings { replication: 1, min_in_sync: 1, ..TopicSettings::default() };
        settings
    }

    /// Starts it, on what it has. No file of it may grow beyond the limit.
    pub(crate) fn start(&mut self, limit: Option<u64>) {
        let mut command = match limit {
            Some(bytes) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--fsize={bytes}")).arg("java");
                command
            }
            None => Command::new("java"),
        };
        let said = File::options().create(true).append(true).open(self.dir.path().join("said.txt")).unwrap();
        command.args([
            "-Xmx300m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            &jars(),
            "kafka.Kafka",
            &self.properties(),
        ]);
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        self.child = Some(command.spawn().expect("Java and prlimit are there"));
    }

    /// As a loss of power would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Returns when it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                self.child = None;
                return status;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Runs a tool of Kafka to its end.
    pub(crate) fn java(&self, flags: &[&str], args: &[&str]) {
        let output = Command::new("java")
            .args(["-XX:TieredStopAtLevel=1", "-cp", &jars()])
            .args(flags)
            .args(args)
            .output();
        let output = output.expect("Java is there");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{args:?}: {}{}", said(&output.stdout), said(&output.stderr));
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A file beside its data.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn jars() -> String {
    let folder = env::var("PALINODE_JARS").expect(
        "PALINODE_JARS is not set: `cargo xtask test` sets it, and so does `cargo xtask stack up --export`",
    );
    format!("{folder}/*")
}

/// A port that the system does not hand out for outgoing connections: it is free again when the broker starts again.
fn free_port() -> u16 {
    let start = u16::try_from(Uuid::now_v7().as_u128() % 12_000).unwrap();
    let ports = (0..12_000).map(|n| 20_000 + (start + n) % 12_000);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.into_iter().find(is_free).unwrap()
}
