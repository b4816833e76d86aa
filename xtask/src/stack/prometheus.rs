//! One Prometheus, as Debian packages it. It scrapes every second whatever the files in a folder name, which come and go
//! while it runs; `PALINODE_PROMETHEUS_TARGETS` says where that folder is.

use std::{
    fs,
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
    tools,
};
use crate::shell::which;

pub(crate) struct Prometheus;

impl Server for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn variable(&self) -> &'static str {
        "PALINODE_PROMETHEUS"
    }

    fn ports(&self) -> usize {
        1
    }

    fn install(&self, _cache: &Path) -> Result<()> {
        program().map(drop)
    }

    fn prepare(&self, place: &Place, ports: &[u16]) -> Result<PathBuf> {
        let [port] = ports else { bail!("Prometheus has one port") };
        remove(&place.data)?;
        let targets = targets(&place.data);
        fs::create_dir_all(&targets)?;
        // YAML understands JSON.
        fs::write(file(&place.data), serde_json::to_vec_pretty(&settings(&targets))?)?;
        // The one thing that it is told on its command line only.
        fs::write(place.data.join("port"), port.to_string())?;
        Ok(place.data.clone())
    }

    fn command(&self, _place: &Place, data: &str) -> Result<Command> {
        let port = fs::read_to_string(Path::new(data).join("port"))?;
        let mut command = Command::new(program()?);
        command
            .arg(format!("--config.file={}", file(Path::new(data)).display()))
            .arg(format!("--storage.tsdb.path={data}/tsdb"))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Ok(command)
    }

    fn ask(&self, record: &Record) -> Result<()> {
        http::answers(record.port(), "/-/ready")
    }

    fn address(&self, record: &Record) -> String {
        format!("http://127.0.0.1:{}", record.port())
    }

    fn more(&self, record: &Record) -> Vec<(&'static str, String)> {
        vec![("PALINODE_PROMETHEUS_TARGETS", targets(Path::new(&record.data)).display().to_string())]
    }

    fn farewell(&self) -> Signal {
        Signal::TERM
    }
}

fn program() -> Result<PathBuf> {
    tools::find("Prometheus", &["prometheus"], || which("prometheus"))
}

fn file(data: &Path) -> PathBuf {
    data.join("prometheus.yml")
}

fn targets(data: &Path) -> PathBuf {
    data.join("targets")
}

fn settings(targets: &Path) -> Value {
    json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{
            "job_name": "palinode",
            "file_sd_configs": [{"files": [targets.join("*.json")], "refresh_interval": "1s"}]
        }]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_scrapes_what_a_folder_names() {
        let told = settings(Path::new("/data/targets"));
        let found = told.pointer("/scrape_configs/0/file_sd_configs/0/files/0").unwrap();
        assert_eq!(found, "/data/targets/*.json");
    }
}
