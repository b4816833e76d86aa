//! Spans as a real Jaeger gives them back: its reading interface for programs, `/api/v3`, which is OTLP as JSON.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;

/// Where Jaeger answers questions.
pub(crate) struct Jaeger(String);

/// A span of a trace.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) id: String,
    /// Empty: a root.
    pub(crate) parent: String,
    /// Microseconds since 1970.
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) failed: bool,
    /// The traces that it is linked to.
    pub(crate) links: Vec<String>,
    attributes: BTreeMap<String, String>,
}

impl Jaeger {
    /// The one that the environment names.
    pub(crate) fn here() -> Self {
        let address = std::env::var("PALINODE_JAEGER")
            .expect("PALINODE_JAEGER is not set: `cargo xtask test` starts Jaeger and runs these tests");
        Self(address.strip_prefix("http://").unwrap().to_owned())
    }

    /// The spans of a trace, by their start; none when there is no such trace.
    pub(crate) fn trace(&self, id: &str) -> Vec<Span> {
        let mut spans: Vec<Span> = self.found(&format!("/api/v3/traces/{id}")).collect();
        spans.sort_by_key(|span| (span.start, span.end));
        spans
    }

    /// The spans of the traces that a search finds: of a service, by more of its query.
    pub(crate) fn search(&self, query: &str) -> Vec<Span> {
        self.found(&format!("/api/v3/traces?{query}")).collect()
    }

    fn found(&self, path: &str) -> impl Iterator<Item = Span> {
        let answer = self.get(path);
        let traces = answer.pointer("/result/resourceSpans").and_then(Value::as_array).cloned();
        traces.into_iter().flatten().flat_map(|of| of_service(&of))
    }

    /// The older version of the protocol ends an answer with the connection and does not cut it into pieces.
    fn get(&self, path: &str) -> Value {
        let mut wire = TcpStream::connect(&self.0).unwrap();
        write!(wire, "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.0).unwrap();
        let mut answer = String::new();
        wire.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        match head.split(' ').nth(1) {
            Some("200") => serde_json::from_str(body).unwrap_or_else(|e| panic!("{path}: {e} in {body}")),
            Some("404") => Value::Null,
            _ => panic!("{path}: {answer}"),
        }
    }
}

impl Span {
    pub(crate) fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

fn of_service(of: &Value) -> Vec<Span> {
    let resource = attributes(&of["resource"]);
    let service = &resource["service.name"];
    let scopes = of["scopeSpans"].as_array().unwrap().iter();
    scopes.flat_map(|scope| scope["spans"].as_array().unwrap()).map(|span| read(service, span)).collect()
}

fn read(service: &str, span: &Value) -> Span {
    let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
    let micros = |key: &str| text(key).parse::<i64>().unwrap() / 1_000;
    let links = span["links"].as_array().into_iter().flatten();
    Span {
        service: service.to_owned(),
        name: text("name"),
        id: text("spanId"),
        parent: text("parentSpanId"),
        start: micros("startTimeUnixNano"),
        end: micros("endTimeUnixNano"),
        failed: span["status"]["code"].as_u64() == Some(2),
        links: links.map(|link| link["traceId"].as_str().unwrap().to_owned()).collect(),
        attributes: attributes(span),
    }
}

fn attributes(of: &Value) -> BTreeMap<String, String> {
    let all = of["attributes"].as_array().into_iter().flatten();
    let value = |value: &Value| match value.as_object().unwrap().values().next().unwrap() {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    all.map(|known| (known["key"].as_str().unwrap().to_owned(), value(&known["value"]))).collect()
}
