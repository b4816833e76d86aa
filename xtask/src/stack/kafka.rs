//! One Kafka broker that is its own controller, from the jars that Maven fetches. Everything it is told is here.

mod question;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{
    lock,
    place::{Place, Record, remove},
    process::Signal,
    server::Server,
    tools,
};
use crate::shell::{quiet, say, which};

/// The broker, its tools and something to log with, each with its version.
const POM: &str = include_str!("kafka/pom.xml");
/// Fetches what a pom depends on.
const FETCH: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/// Sixteen bytes as Kafka writes them. Brokers of other clusters never meet this one.
const CLUSTER: &str = "palinode-xtask-stack-A";
/// What the jars' folder in the cache is called. The cache may be shared: nobody else calls anything so.
const JARS: &str = "palinode-kafka";
const HEAP: &str = "-Xmx700m";
/// What Kafka 4 asks for.
const JAVA: u32 = 17;

pub(crate) struct Kafka;

impl Server for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn variable(&self) -> &'static str {
        "PALINODE_KAFKA"
    }

    /// For clients, for the controller, for clients that come through a proxy, and where that proxy is to listen: a client
    /// goes where it is told to go by the listener it came to.
    fn ports(&self) -> usize {
        4
    }

    fn install(&self, cache: &Path) -> Result<()> {
        tools::find("Java 17", &["default-jre-headless"], java)?;
        let _lock = lock(&cache.join(JARS).with_extension("lock"))?;
        let jars = cache.join(JARS);
        if fs::read_to_string(jars.join("pom.xml")).is_ok_and(|pom| pom == POM) {
            return Ok(());
        }
        let maven = tools::find("Maven", &["maven"], || which("mvn"))?;
        say("fetching Kafka with Maven, once\n");
        let fresh = jars.with_extension("new");
        remove(&fresh)?;
        fs::create_dir_all(&fresh)?;
        fs::write(fresh.join("pom.xml"), POM)?;
        quiet(Command::new(maven).args(["-q", "-B", FETCH, "-DoutputDirectory=."]).current_dir(&fresh))?;
        remove(&jars)?;
        fs::rename(fresh, jars).context("cannot keep the jars")
    }

    fn prepare(&self, place: &Place, ports: &[u16]) -> Result<PathBuf> {
        let Ok(ports) = <[u16; 4]>::try_from(ports) else { bail!("a broker has four ports") };
        remove(&place.data)?;
        fs::create_dir_all(&place.data)?;
        let file = properties_file(&place.data.display().to_string());
        fs::write(&file, properties(ports, &place.data.join("log")))?;
        let args = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", &file];
        quiet(program(place)?.args(args)).context("the broker's folder cannot be made")?;
        Ok(place.data.clone())
    }

    fn command(&self, place: &Place, data: &str) -> Result<Command> {
        let mut command = program(place)?;
        command.args([HEAP, "-XX:+ExitOnOutOfMemoryError"]);
        let level = [("defaultLogLevel", "info"), ("showDateTime", "true")];
        command.args(level.map(|(key, value)| format!("-Dorg.slf4j.simpleLogger.{key}={value}")));
        command.args(["kafka.Kafka", &properties_file(data)]);
        Ok(command)
    }

    fn ask(&self, record: &Record) -> Result<()> {
        question::brokers(record.port())
    }

    fn address(&self, record: &Record) -> String {
        format!("127.0.0.1:{}", record.port())
    }

    fn programs(&self, cache: &Path) -> Option<(&'static str, PathBuf)> {
        Some(("PALINODE_JARS", cache.join(JARS))).filter(|(_, jars)| jars.is_dir())
    }

    fn farewell(&self) -> Signal {
        Signal::TERM
    }
}

/// Java with the jars.
fn program(place: &Place) -> Result<Command> {
    let mut command = Command::new(tools::find("Java 17", &["default-jre-headless"], java)?);
    command.arg("-cp").arg(place.cache.join(JARS).join("*"));
    Ok(command)
}

fn properties_file(data: &str) -> String {
    format!("{data}/server.properties")
}

/// What the broker is told.
fn properties([port, controller, behind, proxy]: [u16; 4], log: &Path) -> String {
    let here = |name: &str, port: u16| format!("{name}://127.0.0.1:{port}");
    let listeners = [here("PLAINTEXT", port), here("CONTROLLER", controller), here("BEHIND", behind)];
    let own = [
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
        ("listeners", listeners.join(",")),
        ("advertised.listeners", [here("PLAINTEXT", port), here("BEHIND", proxy)].join(",")),
        ("log.dirs", log.display().to_string()),
    ];
    let fixed = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.listener.names", "CONTROLLER"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,BEHIND:PLAINTEXT"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        // Topics are made by an explicit act.
        ("auto.create.topics.enable", "false"),
        // One broker.
        ("default.replication.factor", "1"),
        ("min.insync.replicas", "1"),
        ("offsets.topic.replication.factor", "1"),
        ("offsets.topic.num.partitions", "8"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        // Tests neither wait for members that never come, nor long for those that went.
        ("group.initial.rebalance.delay.ms", "0"),
        ("group.min.session.timeout.ms", "3000"),
        ("group.consumer.min.heartbeat.interval.ms", "500"),
        ("group.consumer.heartbeat.interval.ms", "1000"),
        ("group.consumer.min.session.timeout.ms", "6000"),
        ("group.consumer.session.timeout.ms", "10000"),
    ];
    let fixed = fixed.map(|(key, value)| (key, value.to_owned()));
    own.iter().chain(&fixed).map(|(key, value)| format!("{key}={value}\n")).collect()
}

/// Java, if it is new enough.
fn java() -> Option<PathBuf> {
    let java = which("java")?;
    let output = Command::new(&java).arg("-version").output().ok()?;
    (major(&String::from_utf8_lossy(&output.stderr))? >= JAVA).then_some(java)
}

/// The first number of a version like `openjdk version "17.0.15"`.
fn major(version: &str) -> Option<u32> {
    let quoted = version.split('"').nth(1)?;
    quoted.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_is_told_what_tests_rely_on() {
        let text = properties([20_001, 20_002, 20_003, 20_004], Path::new("/data/log"));
        for line in [
            "listeners=PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002,BEHIND://127.0.0.1:20003",
            "advertised.listeners=PLAINTEXT://127.0.0.1:20001,BEHIND://127.0.0.1:20004",
            "controller.quorum.voters=1@127.0.0.1:20002",
            "log.dirs=/data/log",
            "auto.create.topics.enable=false",
            "group.initial.rebalance.delay.ms=0",
            "offsets.topic.num.partitions=8",
            "group.min.session.timeout.ms=3000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let mut keys: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "a key stands twice");
    }

    #[test]
    fn versions_of_java() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(major("java version \"1.8.0_292\""), Some(1));
        assert_eq!(major("openjdk version \"24-ea\""), Some(24));
        assert_eq!(major("command not found"), None);
    }
}
