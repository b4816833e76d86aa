//! What was told arrives in the settings of the adapters, and their own checks find nothing that ours let pass.

use palinode::{
    log::kafka::{GroupProtocol, KafkaSettings},
    settings::Sources,
};

use super::{environment, sound, wrong};

#[test]
fn kafka_hears_everything() {
    let settings = sound(environment(&[
        ("PALINODE_KAFKA_BOOTSTRAP", "kafka.example:9093"),
        ("PALINODE_KAFKA_PREFIX", "prod."),
        ("PALINODE_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("PALINODE_KAFKA_SASL_MECHANISM", "SCRAM-SHA-256"),
        ("PALINODE_KAFKA_SASL_USERNAME", "hotel"),
        ("PALINODE_KAFKA_SASL_PASSWORD", "hunter2"),
        ("PALINODE_KAFKA_SESSION_TIMEOUT", "10s"),
        ("PALINODE_KAFKA_PRODUCERS", "2"),
        ("PALINODE_CREATE_REPLICATION", "5"),
        ("PALINODE_CREATE_MIN_IN_SYNC", "3"),
    ]));
    let mut expected = KafkaSettings::new("kafka.example:9093");
    expected.prefix = "prod.".into();
    for (key, value) in [
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanism", "SCRAM-SHA-256"),
        ("sasl.username", "hotel"),
        ("sasl.password", "hunter2"),
    ] {
        expected.passed.insert(key.into(), value.into());
    }
    (expected.session, expected.producers) = (std::time::Duration::from_secs(10), Some(2));
    (expected.topics.replication, expected.topics.min_in_sync) = (5, 3);
    let kafka = settings.kafka_settings().unwrap();
    assert!(kafka == expected, "{kafka:?}");
    assert!(kafka.check().is_ok());
    assert!(settings.postgres_settings().unwrap().is_none());
}

#[test]
fn whoever_says_nothing_gets_what_the_adapter_has() {
    let settings = sound(environment(&[("PALINODE_KAFKA_BOOTSTRAP", "localhost:9092")]));
    assert!(settings.kafka_settings().unwrap() == KafkaSettings::new("localhost:9092"));
    let told = [("PALINODE_KAFKA_BOOTSTRAP", "kafka:9092"), ("PALINODE_KAFKA_INSECURE", "true")];
    let kafka =
        sound(environment(&told).flag("--kip", "kafka.group_protocol", "consumer")).kafka_settings().unwrap();
    assert!(kafka.clear_text && kafka.protocol == GroupProtocol::Consumer && kafka.check().is_ok());
}

#[test]
fn postgres_hears_everything() {
    let settings = sound(environment(&[
        ("PALINODE_NODE", "hotel-1"),
        ("PALINODE_POSTGRES_HOST", "postgres"),
        ("PALINODE_POSTGRES_PORT", "5433"),
        ("PALINODE_POSTGRES_USER", "hotel"),
        ("PALINODE_POSTGRES_DATABASE", "trips"),
        ("PALINODE_POSTGRES_PASSWORD", "hunter2"),
        ("PALINODE_POSTGRES_SCHEMA", "hotel"),
        ("PALINODE_POSTGRES_SSLMODE", "require"),
        ("PALINODE_POSTGRES_INSECURE", "true"),
        ("PALINODE_POSTGRES_WRITERS", "2"),
        ("PALINODE_POSTGRES_READERS", "3"),
    ]));
    let printed = format!("{:?}", settings.postgres_settings().unwrap().unwrap());
    for part in [
        "hotel@postgres:5433/trips, schema hotel",
        "Some(Unchecked)",
        "trust_the_network: true",
        "writers: 2",
        "readers: 3",
    ] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
    assert!(!printed.contains("hunter2"), "{printed}");
    assert!(settings.kafka_settings().is_none());
}

#[test]
fn a_url_that_the_driver_refuses_is_refused_with_its_origin() {
    for url in ["postgres://u:hunter2@localhost:99999/d", "postgres://u:hunter2@localhost/d?sslmode=prefer"] {
        let said = wrong(Sources::new().flag("--postgres", "postgres.url", url)).join("\n");
        assert!(said.starts_with("the flag --postgres: ") && !said.contains("hunter2"), "{said}");
    }
}
