//! A real Jaeger and a real Prometheus in a stack of their own: what a shell is told of them, and that they answer there.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
};

/// A stack with a name that no other has, which ends with the test.
struct Stack(String);

impl Stack {
    fn run(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let output = command.arg("stack").args(args).args(["--name", &self.0]).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

fn exported<'a>(said: &'a str, variable: &str) -> &'a str {
    let start = format!("export {variable}='");
    let line = said.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{said}"));
    line.strip_suffix('\'').unwrap()
}

/// The answer of a server of HTTP to a request with an empty body of JSON.
fn asked(address: &str, request: &str) -> String {
    let host = address.strip_prefix("http://").unwrap();
    let mut wire = TcpStream::connect(host).unwrap();
    let head = "Host: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    write!(wire, "{request} HTTP/1.0\r\n{head}").unwrap();
    let mut answer = String::new();
    wire.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
#[ignore = "needs Kafka, PostgreSQL and Jaeger: cargo xtask test starts them"]
fn jaeger_and_prometheus_come_beside_the_others_and_go_with_them() {
    let stack = Stack(format!("test-{}", std::process::id()));
    let (good, said) = stack.run(&["up", "jaeger", "--prometheus", "--export"]);
    assert!(good, "{said}");

    let questions = exported(&said, "PALINODE_JAEGER");
    let services = asked(questions, "GET /api/v3/services");
    assert!(services.starts_with("HTTP/1.0 200") && services.ends_with("{}"), "{services}");
    let spans = exported(&said, "OTEL_EXPORTER_OTLP_ENDPOINT");
    assert!(
        asked(spans, "POST /v1/traces").starts_with("HTTP/1.0 200"),
        "{}",
        asked(spans, "POST /v1/traces")
    );
    let prometheus = exported(&said, "PALINODE_PROMETHEUS");
    assert!(asked(prometheus, "GET /api/v1/query?query=1").contains("\"status\":\"success\""));
    assert!(Path::new(exported(&said, "PALINODE_PROMETHEUS_TARGETS")).is_dir());

    // what was started is seen and ended without being named
    let (_, status) = stack.run(&["status"]);
    assert_eq!(status.matches("ready at").count(), 2, "{status}");
    assert!(status.contains("jaeger") && status.contains("prometheus"), "{status}");
    let (good, said) = stack.run(&["down"]);
    assert!(good && said.contains("jaeger has ended") && said.contains("prometheus has ended"), "{said}");
    assert!(TcpStream::connect(questions.strip_prefix("http://").unwrap()).is_err());
}

#[test]
#[ignore = "needs Kafka, PostgreSQL and Jaeger: cargo xtask test starts them"]
fn the_jaeger_of_the_compose_files_would_start() {
    let program = std::env::var("PALINODE_JAEGER_PROGRAM").unwrap_or_else(|_| {
        panic!("PALINODE_JAEGER_PROGRAM is not set: `cargo xtask test` says where Jaeger is")
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose/jaeger/jaeger.yaml");
    let output = Command::new(program).args(["validate", "--config"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
