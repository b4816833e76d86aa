//! What holds for every service of the compose files: a pinned image, a health check, no root, doors to this machine
//! only, data in volumes. Over the parser's output; pure.

use serde_json::Value;

/// Each profile, and the services that run in it.
pub(crate) const PROFILES: [(&str, &[&str]); 3] = [
    ("", &["kafka", "postgres"]),
    ("booking", &["bank", "car", "flight", "hotel", "http", "kafka", "postgres", "setup", "trip"]),
    ("telemetry", &["grafana", "jaeger", "kafka", "postgres", "prometheus"]),
];

/// Where a server keeps its data.
const DATA: [(&str, &str); 4] = [
    ("kafka", "/var/lib/kafka/data"),
    ("postgres", "/var/lib/postgresql/data"),
    ("bank", "/data"),
    ("prometheus", "/prometheus"),
];

/// What does its work once and ends.
const SETUP: &str = "setup";

/// The same programs as `cargo xtask stack` starts. Jaeger 2.13.0 is the release of its module v1.76.0.
const SAME: [(&str, &str); 2] = [("kafka", "apache/kafka:4.1.1"), ("jaeger", "jaegertracing/jaeger:2.13.0")];

/// What is wrong with a configuration that is to have these services.
pub(crate) fn broken(config: &Value, expected: &[&str]) -> Vec<String> {
    let Some(services) = config.get("services").and_then(Value::as_object) else {
        return vec!["there are no services".to_owned()];
    };
    let mut names: Vec<&str> = services.keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut broken = Vec::new();
    if names != expected {
        broken.push(format!("has the services {names:?}, not {expected:?}"));
    }
    for (name, service) in services {
        broken.extend(of_service(name, service).into_iter().map(|what| format!("{name} {what}")));
    }
    broken
}

fn of_service(name: &str, service: &Value) -> Vec<String> {
    let text = |pointer: &str| service.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let list = |pointer: &str| service.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let mut broken = Vec::new();
    let mut rule = |holds: bool, what: String| {
        if !holds {
            broken.push(what);
        }
    };

    let image = text("/image");
    rule(pinned(image), format!("has the image {image:?}, which is no fixed version"));
    for (_, same) in SAME.iter().filter(|(of, _)| *of == name) {
        rule(image == *same, format!("is not {same}, which tests run on"));
    }
    let built = service.get("build").is_some();
    rule(built || !root(text("/user")), "runs as root".to_owned());
    if name == SETUP {
        rule(text("/restart") == "no", "is started again when it is done".to_owned());
    } else {
        rule(list("/healthcheck/test").count() > 1, "has no health check".to_owned());
        rule(!["", "no"].contains(&text("/restart")), "is not started again when it dies".to_owned());
    }
    for port in list("/ports") {
        let host = port.get("host_ip").and_then(Value::as_str).unwrap_or_default();
        rule(host == "127.0.0.1", "is reached by others".to_owned());
    }
    for (_, folder) in DATA.iter().filter(|(of, _)| *of == name) {
        let kept = list("/volumes").any(|volume| {
            let is = |key: &str, value: &str| volume.get(key).and_then(Value::as_str) == Some(value);
            is("type", "volume") && is("target", folder)
        });
        rule(kept, format!("does not keep {folder} in a volume"));
    }
    for key in ["POSTGRES_PASSWORD", "PALINODE_POSTGRES_PASSWORD"] {
        rule(
            service.pointer(&format!("/environment/{key}")).is_none(),
            format!("has {key} for everybody to see"),
        );
    }
    let waits = |first: &str, until: &str| text(&format!("/depends_on/{first}/condition")) == until;
    if name == SETUP {
        for server in ["kafka", "postgres"] {
            let what = format!("does not wait until {server} is healthy");
            rule(waits(server, "service_healthy"), what);
        }
    } else if built && name != "bank" {
        rule(waits(SETUP, "service_completed_successfully"), format!("does not wait for {SETUP}"));
    }
    broken
}

/// What is wrong with the file that an image is made by.
pub(crate) fn image(dockerfile: &str) -> Vec<String> {
    let of = |word: &str| -> Vec<&str> {
        let lines = dockerfile.lines().filter_map(|line| line.strip_prefix(word));
        lines.filter_map(|rest| rest.split_whitespace().next()).collect()
    };
    let (stages, user) = (of("FROM "), of("USER ").last().copied().unwrap_or_default());
    let mut broken = Vec::new();
    if stages.len() < 2 {
        broken.push("the image is built in one stage: it holds the compiler".to_owned());
    }
    broken.extend(
        stages.iter().filter(|image| !pinned(image)).map(|image| format!("{image} is no fixed version")),
    );
    if root(user) {
        broken.push("the image runs as root".to_owned());
    }
    broken
}

/// A version with at least two numbers, or a digest.
fn pinned(image: &str) -> bool {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let numbers =
        tag.trim_start_matches('v').split(['.', '-']).take_while(|part| part.parse::<u32>().is_ok()).count();
    image.contains("@sha256:") || numbers >= 2
}

fn root(user: &str) -> bool {
    ["", "root", "0"].contains(&user.split(':').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sound() -> Value {
        json!({"services": {
            "postgres": {
                "image": "postgres:17.10", "user": "postgres", "restart": "always",
                "environment": {"POSTGRES_PASSWORD_FILE": "/run/secrets/postgres"},
                "healthcheck": {"test": ["CMD", "psql"]},
                "ports": [{"host_ip": "127.0.0.1", "published": "5432"}],
                "volumes": [{"type": "volume", "source": "postgres", "target": "/var/lib/postgresql/data"}]
            },
            "hotel": {
                "image": "palinode/booking:0.1.0", "build": {"context": ".."}, "restart": "always",
                "healthcheck": {"test": ["CMD", "true"]},
                "depends_on": {"setup": {"condition": "service_completed_successfully"}}
            },
            "setup": {
                "image": "palinode/booking:0.1.0", "build": {"context": ".."}, "restart": "no",
                "depends_on": {
                    "kafka": {"condition": "service_healthy"}, "postgres": {"condition": "service_healthy"}
                }
            }
        }})
    }

    #[test]
    fn each_rule_finds_what_is_planted() {
        const SERVICES: [&str; 3] = ["hotel", "postgres", "setup"];
        assert_eq!(broken(&sound(), &SERVICES), Vec::<String>::new());
        for (service, key, value, what) in [
            ("postgres", "image", json!("postgres"), "no fixed version"),
            ("postgres", "image", json!("postgres:latest"), "no fixed version"),
            ("postgres", "image", json!("postgres:17"), "no fixed version"),
            ("postgres", "user", json!("0:0"), "runs as root"),
            ("postgres", "user", Value::Null, "runs as root"),
            ("postgres", "healthcheck", json!({"test": ["NONE"]}), "no health check"),
            ("postgres", "restart", Value::Null, "not started again"),
            ("postgres", "ports", json!([{"published": "5432"}]), "reached by others"),
            (
                "postgres",
                "volumes",
                json!([{"type": "bind", "target": "/var/lib/postgresql/data"}]),
                "volume",
            ),
            ("postgres", "environment", json!({"POSTGRES_PASSWORD": "x"}), "everybody to see"),
            ("hotel", "depends_on", json!({"setup": {"condition": "service_started"}}), "wait for setup"),
            ("setup", "depends_on", json!({"kafka": {"condition": "service_started"}}), "until kafka"),
            ("setup", "restart", json!("always"), "when it is done"),
            ("hotel", "restart", json!("no"), "not started again"),
            ("kafka", "image", json!("apache/kafka:4.0.0"), "which tests run on"),
            ("jaeger", "image", json!("jaegertracing/jaeger:2.14.0"), "which tests run on"),
        ] {
            let mut config = sound();
            config["services"][service][key] = value;
            let found = broken(&config, &SERVICES);
            assert!(
                found.iter().any(|found| found.starts_with(service) && found.contains(what)),
                "{what}: {found:?}"
            );
        }
        assert!(broken(&sound(), &["postgres"])[0].contains("has the services"));
        assert_eq!(broken(&json!({}), &[]), ["there are no services"]);
    }

    #[test]
    fn images_are_small_pinned_and_not_of_root() {
        let sound = "FROM rust:1.95.0-bookworm AS build\nFROM debian:12.12-slim\nUSER 10001:10001\n";
        assert_eq!(image(sound), Vec::<String>::new());
        assert!(image("FROM rust:1.95.0\nUSER 1\n")[0].contains("one stage"));
        assert!(
            image(&sound.replace("debian:12.12-slim", "debian:stable-slim"))[0]
                .contains("debian:stable-slim")
        );
        assert!(image(&sound.replace("USER 10001:10001", ""))[0].contains("root"));
        assert!(pinned("a/b@sha256:00") && !pinned("localhost:5000/b"));
        assert!(pinned("a/b:v3.5.0") && !pinned("a/b:v3") && !pinned("a/b:vnext.1"));
    }
}
