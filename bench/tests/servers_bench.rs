//! Every workload on Kafka and PostgreSQL runs, counts right and ends: how fast it is, is nobody's concern here.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may be blunt")]

use std::{collections::BTreeSet, process::Command};

#[test]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
fn every_workload_gives_figures() {
    for variable in ["PALINODE_KAFKA", "PALINODE_POSTGRES"] {
        std::env::var(variable).expect("not set: `cargo xtask test` starts both servers and runs this");
    }
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    let ran = bench.args(["--kafka", "--quick", "--repeat", "1", "--json"]).output().unwrap();
    let (said, out) = (String::from_utf8_lossy(&ran.stderr), String::from_utf8_lossy(&ran.stdout));
    assert!(ran.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let figures = report["figures"].as_array().unwrap();
    let workloads: BTreeSet<&str> =
        figures.iter().map(|figure| figure["workload"].as_str().unwrap()).collect();
    assert_eq!(workloads, BTreeSet::from(["W1", "W2", "W4", "W10", "W11", "W12"]));
    for figure in figures {
        for values in [&figure["ours"], &figure["limit"]].into_iter().filter_map(|values| values.as_array()) {
            assert!(values.iter().all(|value| value.as_f64().is_some_and(|value| value > 0.0)), "{figure}");
        }
    }
}
