//! The pages are whole: every metric of the rules and of the dashboard is explained, and every alert; and every attribute
//! that a span can have.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The metrics of the page, as Prometheus calls them.
fn explained() -> BTreeSet<String> {
    let page = text("docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let name = |line: &str| line.split('|').nth(2).unwrap().trim().trim_matches('`').to_owned();
    rows.map(name).collect()
}

/// How metrics begin: ours, and those that OpenTelemetry has names for, whose attributes begin alike.
const METRICS: [&str; 8] = [
    "palinode_",
    "projection_",
    "saga_",
    "activity_",
    "http_server_request_duration",
    "messaging_client_sent",
    "messaging_process_duration",
    "db_client_operation",
];

/// The metrics that an expression asks for.
fn asked(expression: &str) -> BTreeSet<String> {
    let names = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let of_ours = |name: &&str| METRICS.iter().any(|prefix| name.starts_with(prefix));
    let family = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        parts.filter(|_| name != "palinode_shard_count").unwrap_or(name).to_owned()
    };
    names.filter(of_ours).map(family).collect()
}

#[test]
fn every_metric_of_an_alert_is_explained_and_every_alert_says_what_to_do() {
    let (page, rules, explained) =
        (text("docs/metrics.md"), text("compose/prometheus/rules.yml"), explained());
    let expressions: String =
        rules.lines().filter(|line| !line.contains("runbook")).collect::<Vec<_>>().join("\n");
    let unknown: Vec<_> = asked(&expressions).difference(&explained).cloned().collect();
    assert_eq!(unknown, Vec::<String>::new());
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(alerts.len(), 13);
    let tests = text("compose/prometheus/rules.test.yml");
    for alert in alerts {
        assert!(page.contains(&format!("\n### {alert}\n")), "{alert} is not on the page");
        assert!(
            rules.contains(&format!("docs/metrics.md#{}", alert.to_lowercase())),
            "{alert} has no runbook"
        );
        let fires = tests.contains(&format!("alertname: {alert}\n        exp_alerts:"));
        assert!(fires, "no test lets {alert} fire");
    }
}

#[test]
fn every_panel_asks_for_metrics_that_are_explained_and_every_metric_is_on_a_panel() {
    let (dashboard, explained) = (text("compose/grafana/dashboards/palinode.json"), explained());
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let shown: BTreeSet<String> = queries.flat_map(|query| asked(query["expr"].as_str().unwrap())).collect();
    assert_eq!(shown, explained);
}

#[test]
fn every_attribute_of_a_span_is_explained() {
    let page = text("docs/tracing.md");
    let mut all = 0;
    for names in ["engine/src/trace/names.rs", "sagas/src/trace/names.rs"] {
        let names = text(names);
        let keys = names.split("pub mod key {").nth(1).unwrap().split("\n}").next().unwrap();
        for key in keys.split('"').skip(1).step_by(2) {
            all += 1;
            assert!(page.contains(&format!("\n| `{key}` |")), "{key}");
        }
    }
    assert!(all > 40, "{all}");
}
