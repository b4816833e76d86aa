//! Jaeger in one process, with its traces in memory, built once from its Go module. It is told to open what tests and
//! people need and nothing else: the doors for spans, for questions and for health.
//!
//! The module has no pages for a browser in it. Whoever has built those says where they are by `PALINODE_JAEGER_UI`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{
    http,
    place::{Place, Record, remove},
    process::Signal,
    server::Server,
};
use crate::golang::Program;

const PROGRAM: Program = Program {
    name: "Jaeger",
    module: "github.com/jaegertracing/jaeger@v1.76.0",
    main: "./cmd/jaeger",
    kept: "palinode-jaeger-v1_76_0",
    takes: "four minutes on two cores",
};

/// What its pages are told: the same as in the compose files.
const PAGES: &str = include_str!("../../../compose/jaeger/ui.json");
/// Where built pages are, if somebody has built them.
const PAGES_AT: &str = "PALINODE_JAEGER_UI";
/// How many traces it remembers.
const TRACES: u32 = 100_000;

pub(crate) struct Jaeger;

impl Server for Jaeger {
    fn name(&self) -> &'static str {
        "jaeger"
    }

    fn variable(&self) -> &'static str {
        "PALINODE_JAEGER"
    }

    /// For questions, for spans over HTTP, for spans over gRPC, for questions over gRPC, for health.
    fn ports(&self) -> usize {
        5
    }

    fn install(&self, cache: &Path) -> Result<()> {
        PROGRAM.built(cache).map(drop)
    }

    fn prepare(&self, place: &Place, ports: &[u16]) -> Result<PathBuf> {
        let Ok(ports) = <[u16; 5]>::try_from(ports) else { bail!("Jaeger has five ports") };
        remove(&place.data)?;
        fs::create_dir_all(&place.data)?;
        let pages = place.data.join("ui.json");
        fs::write(&pages, PAGES)?;
        let assets = env::var_os(PAGES_AT).map(PathBuf::from);
        // YAML understands JSON.
        let told = settings(ports, &pages, assets.as_deref());
        fs::write(place.data.join("jaeger.yaml"), serde_json::to_vec_pretty(&told)?)?;
        Ok(place.data.clone())
    }

    fn command(&self, place: &Place, data: &str) -> Result<Command> {
        let mut command = Command::new(PROGRAM.place(&place.cache));
        command.arg("--config").arg(format!("file:{data}/jaeger.yaml"));
        Ok(command)
    }

    fn ask(&self, record: &Record) -> Result<()> {
        http::answers(record.port(), "/api/v3/services")
    }

    fn address(&self, record: &Record) -> String {
        format!("http://127.0.0.1:{}", record.port())
    }

    fn more(&self, record: &Record) -> Vec<(&'static str, String)> {
        let spans = record.ports.get(1).copied().unwrap_or_default();
        vec![("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{spans}"))]
    }

    fn programs(&self, cache: &Path) -> Option<(&'static str, PathBuf)> {
        Some(("PALINODE_JAEGER_PROGRAM", PROGRAM.place(cache))).filter(|(_, program)| program.is_file())
    }

    fn farewell(&self) -> Signal {
        Signal::TERM
    }
}

fn settings(
    [questions, spans, spans_grpc, questions_grpc, health]: [u16; 5],
    pages: &Path,
    assets: Option<&Path>,
) -> Value {
    let here = |port: u16| json!({"endpoint": format!("127.0.0.1:{port}")});
    let mut ui = json!({"config_file": pages});
    if let (Some(ui), Some(assets)) = (ui.as_object_mut(), assets) {
        ui.insert("assets_path".to_owned(), json!(assets));
    }
    json!({
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            // Its own metrics would take another port.
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "info"}}
        },
        "extensions": {
            "healthcheckv2": {"use_v2": true, "http": here(health)},
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": TRACES}}}},
            "jaeger_query": {
                "storage": {"traces": "memory"}, "http": here(questions), "grpc": here(questions_grpc), "ui": ui
            }
        },
        "receivers": {"otlp": {"protocols": {"http": here(spans), "grpc": here(spans_grpc)}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}}
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_its_own_ports_here_and_no_other() {
        let told = settings([20_001, 20_002, 20_003, 20_004, 20_005], Path::new("/ui.json"), None);
        let text = told.to_string();
        for port in 20_001..=20_005 {
            assert_eq!(text.matches(&format!("\"127.0.0.1:{port}\"")).count(), 1, "{text}");
        }
        assert_eq!(text.matches("endpoint").count(), 5, "{text}");
        let query = told.pointer("/extensions/jaeger_query").unwrap();
        assert_eq!(query["http"]["endpoint"], "127.0.0.1:20001");
        assert_eq!(query["ui"], json!({"config_file": "/ui.json"}));
        let pages = settings([1, 2, 3, 4, 5], Path::new("/ui.json"), Some(Path::new("/pages")));
        assert_eq!(pages.pointer("/extensions/jaeger_query/ui/assets_path").unwrap(), "/pages");
    }
}
