//! Who wins: the defaults lose to a file, a file to the environment, the environment to flags.

use std::time::Duration;

use palinode::settings::{GroupProtocol, Server, Sources, SslMode};

use super::{File, environment, sound};

#[test]
fn nothing_is_said() {
    let settings = sound(Sources::new().environment(Vec::<(String, String)>::new()));
    assert!(settings.node.is_none() && settings.kafka.is_none() && settings.postgres.is_none());
    let create = settings.create;
    assert_eq!((create.shards, create.replication, create.min_in_sync), (32, 3, 2));
}

#[test]
fn the_defaults_of_both_servers() {
    let settings = sound(environment(&[
        ("PALINODE_KAFKA_BOOTSTRAP", "127.0.0.1:9092"),
        ("PALINODE_POSTGRES_HOST", "localhost"),
    ]));
    let kafka = settings.kafka.unwrap();
    assert_eq!((kafka.prefix.as_str(), kafka.insecure, kafka.producers), ("", false, None));
    assert_eq!(
        (kafka.group_protocol, kafka.session_timeout),
        (GroupProtocol::Classic, Duration::from_secs(6))
    );
    assert!(kafka.properties().is_empty());
    let postgres = settings.postgres.unwrap();
    let Server::Parts { host, port, user, database } = &postgres.server else { panic!("{postgres:?}") };
    assert_eq!(
        (host.as_str(), *port, user.as_str(), database.as_str()),
        ("localhost", 5432, "palinode", "palinode")
    );
    assert_eq!((postgres.schema.as_str(), postgres.writers, postgres.readers), ("public", 4, 8));
    assert_eq!((postgres.sslmode, postgres.insecure, postgres.ssl_identity), (None, false, None));
}

#[test]
fn later_sources_win_key_by_key() {
    let file = File::of(
        "node = \"from-file\"\n[kafka]\nbootstrap = [\"127.0.0.1:1\", \"[::1]:2\"]\nprefix = \"file.\"\n\
         session_timeout = \"20s\"\nproducers = 2\ninsecure = false\n[create]\nshards = 4\nreplication = 1\n\
         min_in_sync = 1\n",
    );
    let (sources, rest) = Sources::new()
        .file(file.path())
        .environment([("PALINODE_KAFKA_PREFIX", "env."), ("PALINODE_KAFKA_PRODUCERS", "3"), ("PATH", "/bin")])
        .arguments(
            ["run", "--kafka-producers=4", "--node", "from-flag", "--else", "--", "--node"]
                .map(str::to_owned),
        );
    let settings = sound(sources.flag("--shards", "create.shards", "8"));
    let kafka = settings.kafka.unwrap();
    assert_eq!(kafka.bootstrap, "127.0.0.1:1,[::1]:2");
    assert_eq!((kafka.prefix.as_str(), kafka.producers), ("env.", Some(4)));
    assert_eq!(kafka.session_timeout, Duration::from_secs(20));
    assert_eq!(settings.node.as_deref(), Some("from-flag"));
    assert_eq!((settings.create.shards, settings.create.replication), (8, 1));
    assert_eq!(rest, ["run", "--else", "--", "--node"]);
}

#[test]
fn a_value_that_lost_need_not_be_sound() {
    let file = File::of("[create]\nshards = 0\n");
    let sources = Sources::new().file(file.path()).environment([("PALINODE_CREATE_SHARDS", "1")]);
    assert_eq!(sound(sources).create.shards, 1);
}

#[test]
fn security_is_passed_through_in_the_words_of_the_drivers() {
    let file = File::of("");
    let pem = |name: &str| file.beside(name, "PEM");
    let (ca, certificate, key) = (pem("ca.pem"), pem("us.pem"), pem("us.key"));
    let settings = sound(environment(&[
        ("PALINODE_KAFKA_BOOTSTRAP", "kafka.example:9093"),
        ("PALINODE_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("PALINODE_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("PALINODE_KAFKA_SASL_USERNAME", "hotel"),
        ("PALINODE_KAFKA_SASL_PASSWORD", "hunter2"),
        ("PALINODE_KAFKA_SSL_CA", &ca),
        ("PALINODE_KAFKA_SSL_CERTIFICATE", &certificate),
        ("PALINODE_KAFKA_SSL_KEY", &key),
        ("PALINODE_POSTGRES_URL", "postgres://hotel@db.example/hotel?sslmode=verify-full"),
        ("PALINODE_POSTGRES_SSLMODE", "verify-full"),
        ("PALINODE_POSTGRES_SSL_CERTIFICATE", &certificate),
        ("PALINODE_POSTGRES_SSL_KEY", &key),
    ]));
    let properties = settings.kafka.unwrap().properties();
    let expected = [
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.password", "hunter2"),
        ("sasl.username", "hotel"),
        ("security.protocol", "sasl_ssl"),
        ("ssl.ca.location", &ca),
        ("ssl.certificate.location", &certificate),
        ("ssl.key.location", &key),
    ];
    assert!(
        properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected),
        "{properties:?}"
    );
    let postgres = settings.postgres.unwrap();
    assert_eq!(postgres.sslmode, Some(SslMode::VerifyFull));
    assert_eq!(postgres.ssl_identity, Some((certificate.into(), key.into())));
}

#[test]
fn clear_text_beyond_this_machine_when_it_is_meant() {
    let (sources, _) = Sources::new().arguments(
        [
            "--kafka-bootstrap=kafka:9092",
            "--kafka-insecure",
            "--postgres-host=postgres",
            "--postgres-insecure=true",
        ]
        .into_iter()
        .chain(["--postgres-sslmode", "disable"])
        .map(str::to_owned),
    );
    let settings = sound(sources);
    assert!(settings.kafka.unwrap().insecure && settings.postgres.unwrap().insecure);
}
