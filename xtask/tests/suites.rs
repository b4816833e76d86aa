//! `cargo xtask test` from the outside, with a cargo that only writes down how it was called: what is run, in which
//! order, what tests are told, and what is said of that which did not run. Needs no server: where one is wanted its
//! address is given, or its programs are not on the
//! path; what parses compose files says what it is told to.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]
#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Two targets on servers and one that needs none.
const TARGETS: &str = r#"[{"name": "palinode", "targets": [
    {"name": "embedded", "kind": ["test"]},
    {"name": "kafka_log", "kind": ["test"]},
    {"name": "postgres_store", "kind": ["test"]}]}]"#;

/// Answers for the workspace, writes down the rest, and fails when its arguments have the word it is told to fail at.
const CARGO: &str = r#"#!/bin/sh
if [ "$1" = metadata ]; then read -r line < "$0.json"; echo "$line"; exit; fi
echo "$* | kafka=$PALINODE_KAFKA postgres=$PALINODE_POSTGRES" >> "$0.calls"
if [ -n "$SKIP" ]; then echo "$SKIP" >> "$PALINODE_SKIPPED"; fi
case "$*" in *"$FAIL_AT"*) exit 1;; esac
"#;

/// Says that it is there, and what the parser makes of the compose files.
const DOCKER: &str = r#"#!/bin/sh
case "$*" in
  *version) exit;;
  *"--profile booking"*) file=booking;;
  *"--profile telemetry"*) file=telemetry;;
  *) file=servers;;
esac
read -r line < "${0%/*}/$file.json"; echo "$line"
"#;

/// A service as the rules want it.
fn service(image: &str, volume: &str) -> Value {
    json!({
        "image": image, "user": "somebody", "restart": "always", "healthcheck": {"test": ["CMD", "ask"]},
        "volumes": [{"type": "volume", "target": volume}]
    })
}

/// All profiles.
fn parsed() -> [(&'static str, Value); 3] {
    let mut services = json!({
        "kafka": service("apache/kafka:4.1.1", "/var/lib/kafka/data"),
        "postgres": service("postgres:17.10", "/var/lib/postgresql/data"),
    });
    let servers = json!({"services": services});
    let mut telemetry = servers.clone();
    telemetry["services"]["jaeger"] = service("jaegertracing/jaeger:2.13.0", "/tmp");
    telemetry["services"]["prometheus"] = service("prom/prometheus:v3.5.0", "/prometheus");
    telemetry["services"]["grafana"] = service("grafana/grafana:12.1.1", "/tmp");
    for name in ["bank", "car", "flight", "hotel", "http", "setup", "trip"] {
        services[name] = service("palinode/booking:0.1.0", "/data");
    }
    let healthy = json!({"condition": "service_healthy"});
    services["setup"]["restart"] = json!("no");
    services["setup"]["depends_on"] = json!({"kafka": healthy, "postgres": healthy});
    for name in ["car", "flight", "hotel", "http", "trip"] {
        services[name]["depends_on"] = json!({"setup": {"condition": "service_completed_successfully"}});
    }
    services["http"]["depends_on"]["bank"] = healthy.clone();
    services["trip"]["depends_on"]["bank"] = healthy;
    [("servers", servers), ("booking", json!({"services": services})), ("telemetry", telemetry)]
}

struct Run {
    folder: TempDir,
    command: Command,
}

impl Run {
    /// With nothing on the path but that cargo.
    fn of(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("cargo", CARGO), ("docker", DOCKER)] {
            let program = folder.path().join(name);
            fs::write(&program, text).unwrap();
            fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        }
        for (profile, config) in parsed() {
            fs::write(folder.path().join(format!("{profile}.json")), format!("{config}\n")).unwrap();
        }
        let target = folder.path().join("target");
        fs::create_dir(&target).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let packages: Value = serde_json::from_str(TARGETS).unwrap();
        let known = json!({"packages": packages, "target_directory": target, "workspace_root": root});
        fs::write(folder.path().join("cargo.json"), format!("{known}\n")).unwrap();

        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("test").args(args).env_clear().stdin(Stdio::null());
        command.env("PATH", folder.path()).env("FAIL_AT", "nothing");
        Self { folder, command }
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    fn servers(self) -> Self {
        self.with("PALINODE_KAFKA", "k:1").with("PALINODE_POSTGRES", "p:2")
    }

    /// With another answer of the parser, for servers alone; none: there is no parser.
    fn parser(self, answer: Option<&str>) -> Self {
        match answer {
            Some(answer) => fs::write(self.folder.path().join("servers.json"), answer).unwrap(),
            None => fs::remove_file(self.folder.path().join("docker")).unwrap(),
        }
        self
    }

    /// Whether it went well, what it said, and how cargo was called.
    fn go(mut self) -> (bool, String, Vec<String>) {
        let Output { status, stderr, .. } = self.command.output().unwrap();
        let calls = fs::read_to_string(self.folder.path().join("cargo.calls")).unwrap_or_default();
        (status.success(), String::from_utf8(stderr).unwrap(), calls.lines().map(str::to_owned).collect())
    }
}

const FIRST: &str = "test --all-features --workspace";
const ON_BOTH: &str =
    "test --all-features --workspace --no-fail-fast --test kafka_log --test postgres_store -- --ignored";

#[test]
fn everything_runs_once_the_servers_are_there() {
    let (good, said, calls) = Run::of(&[]).servers().with("CI", "true").go();
    assert!(good && !said.contains("NOT RUN"), "{said}");
    let told = "kafka=k:1 postgres=p:2";
    assert_eq!(calls, [format!("{FIRST} | {told}"), format!("{ON_BOTH} | {told}")]);
}

#[test]
fn a_server_that_cannot_run_is_no_silence() {
    let here = || Run::of(&[]).with("PALINODE_POSTGRES", "p:2");
    let (good, said, calls) = here().go();
    assert!(good, "{said}");
    assert_eq!(calls[1], ON_BOTH.replace("--test kafka_log ", "") + " | kafka= postgres=p:2");
    for part in [
        "NOT RUN: 1",
        "kafka_log (palinode)",
        "why: kafka does not run: Java 17 is missing; on Debian: `apt-get install",
        "then: cargo xtask test --test kafka_log -- --ignored",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }

    // and in a pipeline it is a failure, after everything else was tried
    let (good, said, calls) = here().with("CI", "true").go();
    assert!(!good && said.contains("CI=true, and 1 were left out"), "{said}");
    assert_eq!(calls.len(), 2);
}

#[test]
fn the_compose_files_are_checked_or_said_not_to_be() {
    let (good, said, calls) = Run::of(&[]).servers().parser(Some("{\"services\": {}}\n")).go();
    assert!(!good && said.contains("profile \"\": has the services [], not [\"kafka\""), "{said}");
    assert_eq!(calls.len(), 2);
    let (good, said, calls) = Run::of(&[]).servers().parser(None).go();
    assert!(
        good && said.contains("why: Go is missing") && said.contains("then: cargo xtask compose"),
        "{said}"
    );
    assert_eq!(calls.len(), 2);
    assert!(!Run::of(&[]).servers().parser(None).with("CI", "true").go().0);
}

#[test]
fn what_tests_leave_out_themselves_is_listed_too() {
    let (good, said, _) = Run::of(&[]).servers().with("SKIP", "the guide: there is no curl").go();
    assert!(good && said.contains("the guide\n    why: there is no curl"), "{said}");
    let (good, ..) =
        Run::of(&[]).servers().with("SKIP", "the guide: there is no curl").with("CI", "true").go();
    assert!(!good);
}

#[test]
fn a_failure_stays_a_failure() {
    let (good, said, calls) = Run::of(&[]).servers().with("FAIL_AT", "--workspace").go();
    assert!(!good && calls.len() == 1, "{said}");
    assert!(said.contains("NOT RUN: 2") && said.contains("why: the tests before them failed"), "{said}");
    let (good, said, calls) = Run::of(&[]).servers().with("FAIL_AT", "--ignored").go();
    assert!(!good && calls.len() == 2 && !said.contains("NOT RUN"), "{said}");
}

#[test]
fn a_part_starts_servers_only_if_it_asks_for_them() {
    let (good, said, calls) = Run::of(&["-p", "palinode", "machine"]).go();
    assert!(good, "{said}");
    assert_eq!(calls, ["test --all-features -p palinode machine | kafka= postgres="]);
    let (good, said, calls) = Run::of(&["--test", "kafka_log", "--", "--ignored"]).servers().go();
    assert!(good, "{said}");
    assert_eq!(calls, [FIRST.to_owned() + " --test kafka_log -- --ignored | kafka=k:1 postgres=p:2"]);
}
