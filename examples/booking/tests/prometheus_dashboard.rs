//! The dashboard and the alerts on a real Prometheus that scrapes the example: every question that they ask has an answer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may be blunt"
)]

#[allow(dead_code, reason = "only requests are made here")]
#[path = "support/server.rs"]
mod server;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "support/servers.rs"]
mod servers;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use server::{ask_at, trip};
use servers::Place;

/// How often more trips are booked until Prometheus has seen enough of them.
const ROUNDS: u32 = 40;
/// What is counted only when something is wrong: it is not there while nothing is.
const OF_TROUBLE: [&str; 2] = ["palinode_safety_violations_total", "palinode_records_dead_total"];

fn compose(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose").join(file)
}

fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: `cargo xtask test` starts Prometheus and runs these tests")
    })
}

/// The result of a query; none when it has none.
fn asked(query: &str) -> Vec<Value> {
    let address = told("PALINODE_PROMETHEUS");
    let host = address.strip_prefix("http://").unwrap();
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut wire = TcpStream::connect(host).unwrap();
    write!(wire, "GET /api/v1/query?query={encoded} HTTP/1.0\r\nhost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    wire.read_to_string(&mut answer).unwrap();
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["status"], "success", "{query}: {body}");
    body["data"]["result"].as_array().unwrap().clone()
}

/// Every query of the dashboard, as Grafana asks it for all services, with the panel it belongs to.
fn panels() -> Vec<(String, String)> {
    let text = fs::read_to_string(compose("grafana/dashboards/palinode.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        let title = panel["title"].as_str().unwrap();
        targets.map(move |target| {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$service", ".*").replace("$__rate_interval", "1m");
            (title.to_owned(), query)
        })
    });
    queries.collect()
}

/// The expression of every alert. They stand in the file as a line, or as a block that is indented further.
fn alerts() -> Vec<(String, String)> {
    let text = fs::read_to_string(compose("prometheus/rules.yml")).unwrap();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (mut all, mut name, mut lines) = (Vec::new(), String::new(), text.lines().peekable());
    while let Some(line) = lines.next() {
        if let Some(alert) = line.trim().strip_prefix("- alert: ") {
            alert.clone_into(&mut name);
        } else if let Some(expression) = line.trim().strip_prefix("expr: ") {
            let mut expression = expression.trim_start_matches('|').to_owned();
            while let Some(more) = lines.next_if(|more| indent(more) > indent(line)) {
                expression += more.trim();
                expression.push(' ');
            }
            all.push((name.clone(), expression));
        }
    }
    all
}

/// The metrics that an expression names.
fn metrics(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = |word: &&str| {
        ["palinode_", "projection_", "saga_", "activity_"].iter().any(|of| word.starts_with(of))
    };
    words.filter(ours).collect()
}

#[tokio::test]
#[ignore = "needs Kafka, PostgreSQL and Prometheus: cargo xtask test starts them"]
async fn every_panel_and_every_alert_has_an_answer() {
    // given a process with all services, and one that asks them, both of which Prometheus scrapes
    let place = Place::created().await;
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string();
    let (of_services, of_face) = (free(), free());
    let (services, _) = place.start(&["run", "--metrics", &of_services, "--hold", "0.5"], "running ");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--metrics", &of_face];
    let (face, address) = place.start(&serve, "listening on http://");
    let targets =
        Path::new(&told("PALINODE_PROMETHEUS_TARGETS")).join(of_face.replace([':', '.'], "-") + ".json");
    fs::write(&targets, json!([{"targets": [of_services, of_face]}]).to_string()).unwrap();

    // when trips are booked while it looks
    let (panels, alerts) = (panels(), alerts());
    assert!(panels.len() > 20 && alerts.len() > 5, "{} panels, {} alerts", panels.len(), alerts.len());
    let silent =
        || -> Vec<&(String, String)> { panels.iter().filter(|(_, query)| asked(query).is_empty()).collect() };
    let mut rounds = 0;
    while !silent().is_empty() && rounds < ROUNDS {
        rounds += 1;
        place.good(&["--trips", "40", "--seed", &rounds.to_string(), "--hold", "0.5"]);
        let headers = [("content-type", "application/json")];
        let booked = ask_at(&address, "POST", "/trips", &headers, &trip("GBR").to_string()).unwrap();
        assert_eq!(booked.status, 202, "{booked:?}");
    }

    // then every panel shows something, and whatever an alert looks at is there
    assert!(silent().is_empty(), "nothing in {:#?}", silent());
    for (name, expression) in &alerts {
        asked(expression);
        for metric in metrics(expression).difference(&BTreeSet::from(OF_TROUBLE)) {
            assert!(!asked(&format!("count({metric})")).is_empty(), "{name} looks at {metric}: {expression}");
        }
    }
    fs::remove_file(targets).unwrap();
    face.stop();
    services.stop();
}

#[test]
#[ignore = "needs Kafka, PostgreSQL and Prometheus: cargo xtask test starts them"]
fn alerts_fire_when_they_should() {
    for (command, file) in [(["test", "rules"], "rules.test.yml"), (["check", "config"], "prometheus.yml")] {
        let mut promtool = Command::new("promtool");
        let output = promtool.args(command).arg(compose("prometheus").join(file)).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{file}: {out}{err}");
    }
}
