//! What is refused, and in which words: where the value came from, what is wrong with it, what is allowed.

use palinode::settings::Sources;

use super::{File, environment, wrong};

#[track_caller]
fn says(variables: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(wrong(environment(variables)), expected);
}

#[test]
fn each_kind_of_value_says_what_is_allowed() {
    const KAFKA: (&str, &str) = ("PALINODE_KAFKA_BOOTSTRAP", "localhost:9092");
    for (name, value, rest) in [
        ("PRODUCERS", "0", "\"0\" is not allowed; allowed: a number from 1 to 64"),
        ("PRODUCERS", "eight", "\"eight\" is not allowed; allowed: a number from 1 to 64"),
        ("INSECURE", "yes", "\"yes\" is not allowed; allowed: true or false"),
        ("GROUP_PROTOCOL", "kip", "\"kip\" is not allowed; allowed: one of classic, consumer"),
        ("PREFIX", "a b", "\"a b\" is not allowed; allowed: at most 100 of a-z, A-Z, 0-9, `.`, `-` and `_`"),
        ("SASL_USERNAME", "", "there is nothing; allowed: a text"),
        (
            "SESSION_TIMEOUT",
            "6",
            "\"6\" is not allowed; allowed: a time like 500ms, 6s, 2min or 1h, at least 1s",
        ),
        (
            "SESSION_TIMEOUT",
            "999ms",
            "\"999ms\" is not allowed; allowed: a time like 500ms, 6s, 2min or 1h, at least 1s",
        ),
    ] {
        let name = format!("PALINODE_KAFKA_{name}");
        says(&[KAFKA, (&name, value)], &[&format!("the variable {name}: {rest}")]);
    }
    for schema in ["", "Hotel", "a;drop", "pg_x", "1a", "a,b"] {
        let told = [("PALINODE_POSTGRES_HOST", "localhost"), ("PALINODE_POSTGRES_SCHEMA", schema)];
        let said = wrong(environment(&told));
        assert!(said[0].contains("allowed: 1 to 63 of a-z") && said.len() == 1, "{said:?}");
    }
    for hosts in ["localhost", ":9092", "localhost:0", "localhost:9092,", "localhost:99999"] {
        let said = wrong(environment(&[("PALINODE_KAFKA_BOOTSTRAP", hosts)]));
        assert!(said[0].contains("is not allowed; allowed: host:port"), "{said:?}");
    }
    says(
        &[KAFKA, ("PALINODE_KAFKA_SECURITY_PROTOCOL", "ssl"), ("PALINODE_KAFKA_SSL_CA", "/no/such.pem")],
        &[
            "the variable PALINODE_KAFKA_SSL_CA: \"/no/such.pem\" cannot be read: No such file or directory (os error \
           2); allowed: a file",
        ],
    );
}

#[test]
fn a_file_is_named_with_the_line_and_the_key() {
    let file = File::of(
        "node = 1.5\n\n[kafka]\nbootstrap = \"localhost:9092\"\nsession_timeout = 6\n[create]\nshard = 2\n",
    );
    let path = file.path();
    let at = |rest: &str| format!("{}, {rest}", path.display());
    assert_eq!(
        wrong(Sources::new().file(&path)),
        [
            at("line 1, node: a number with a fraction is not allowed anywhere"),
            at("line 7, create.shard: there is no such setting; did you mean create.shards?"),
            at(
                "line 5, kafka.session_timeout: \"6\" is not allowed; allowed: a time like 500ms, 6s, 2min or 1h, at \
                least 1s"
            ),
        ]
    );
}

#[test]
fn a_file_that_is_none() {
    let said = wrong(Sources::new().file("/no/such.toml"));
    assert_eq!(said, ["/no/such.toml: cannot be read: No such file or directory (os error 2)"]);
    let file = File::of("node = \"a\"\nnode = \"b\"\n");
    let said = wrong(Sources::new().file(file.path()));
    assert!(said[0].contains("palinode.toml, line 2, syntax: duplicate key") && said.len() == 1, "{said:?}");
}

#[test]
fn names_that_nobody_knows() {
    let file = File::of("[kafak]\nbootstrap = \"localhost:1\"\n[postgres]\n[other]\nx = 1\n");
    let said = wrong(Sources::new().file(file.path()));
    assert!(
        said[0].ends_with("kafak.bootstrap: there is no such setting; did you mean kafka.bootstrap?"),
        "{said:?}"
    );
    assert!(said[1].contains("line 3, postgres: there is no such setting"), "{said:?}");
    assert!(
        said[2].ends_with("other.x: there is no such setting; docs/configuration.md lists all"),
        "{said:?}"
    );

    says(
        &[
            ("PALINODE_NOED", "a"),
            ("PALINODE_KAFKA_BOOTSTARP", "b"),
            ("PALINODE_KAFKA_SASL_PASSWORD_FIEL", "c"),
        ],
        &[
            "the variable PALINODE_NOED: there is no such setting; did you mean PALINODE_NODE?",
            "the variable PALINODE_KAFKA_BOOTSTARP: there is no such setting; did you mean PALINODE_KAFKA_BOOTSTRAP?",
            "the variable PALINODE_KAFKA_SASL_PASSWORD_FIEL: there is no such setting; did you mean \
             PALINODE_KAFKA_SASL_PASSWORD_FILE?",
        ],
    );
    // Of tests, and of others.
    for other in ["PALINODE_KAFKA", "PALINODE_POSTGRES", "PALINODE_CACHE", "PALINODE_SKIPPED", "PALINODEX"] {
        assert!(environment(&[(other, "x")]).settings().is_ok(), "{other}");
    }
    assert_eq!(
        wrong(Sources::new().flag("--x", "kafka.x", "1")),
        ["the flag --x: there is no setting \"kafka.x\""]
    );
    let (sources, rest) = Sources::new().arguments(["--node".to_owned()]);
    assert_eq!(
        (wrong(sources).concat().as_str(), rest.len()),
        ("the flag --node: there is nothing behind it; a text", 0)
    );
}

#[test]
fn clear_text_beyond_this_machine() {
    for protocol in ["plaintext", "sasl_plaintext"] {
        let mut all = vec![
            ("PALINODE_KAFKA_BOOTSTRAP", "127.0.0.1:9092,kafka.example:9092"),
            ("PALINODE_KAFKA_SECURITY_PROTOCOL", protocol),
        ];
        if protocol != "plaintext" {
            all.extend([
                ("PALINODE_KAFKA_SASL_MECHANISM", "PLAIN"),
                ("PALINODE_KAFKA_SASL_USERNAME", "u"),
                ("PALINODE_KAFKA_SASL_PASSWORD", "p"),
            ]);
        }
        let expected = format!(
            "the variable PALINODE_KAFKA_BOOTSTRAP: kafka.example is not this machine, and kafka.security_protocol is \
             {protocol}: clear text; use ssl or sasl_ssl, or kafka.insecure if that is meant"
        );
        says(&all, &[&expected]);
    }
    let refused = "db.example is not this machine, and who answers there would not be checked; use sslmode verify-full, \
                   or postgres.insecure if that is meant";
    for mode in ["disable", "require", "verify-ca"] {
        let url = format!("postgres://u:p@db.example:5432/d?application_name=x&sslmode={mode}");
        says(
            &[("PALINODE_POSTGRES_URL", &url)],
            &[&format!("the variable PALINODE_POSTGRES_URL: {refused}")],
        );
    }
    for (host, mode, fine) in [
        ("db.example", "verify-full", true),
        ("db.example", "require", false),
        ("127.0.0.1", "disable", true),
        ("/run/postgresql", "disable", true),
    ] {
        let told =
            environment(&[("PALINODE_POSTGRES_HOST", host), ("PALINODE_POSTGRES_SSLMODE", mode)]).settings();
        assert_eq!(told.is_ok(), fine, "{host} {mode}");
    }
    // A URL may name its host in more than one place; and it may leave it to the server whether to encrypt, which the
    // driver says in other words than ours when it is built in.
    for url in [
        "postgres://u@localhost/d?host=db.example&sslmode=disable",
        "postgres://localhost@db.example/d?sslmode=allow",
        "postgres://u@db.example/d?sslmode=prefer",
    ] {
        let said = wrong(environment(&[("PALINODE_POSTGRES_URL", url)]));
        assert!(said.len() == 1 && said[0].starts_with("the variable PALINODE_POSTGRES_URL: "), "{said:?}");
    }
    let socket = "postgres://u@%2Frun%2Fpostgresql/d?sslmode=disable";
    assert!(environment(&[("PALINODE_POSTGRES_URL", socket)]).settings().is_ok());
    assert!(environment(&[("PALINODE_POSTGRES_URL", "postgres://u@db.example/d")]).settings().is_ok());
}

#[test]
fn what_belongs_together_is_said_together() {
    const KAFKA: (&str, &str) = ("PALINODE_KAFKA_BOOTSTRAP", "localhost:9092");
    for (variables, expected) in [
        (&[("PALINODE_KAFKA_PREFIX", "a.")][..], &["nobody says where that is; say kafka.bootstrap"][..]),
        (
            &[("PALINODE_POSTGRES_WRITERS", "2")],
            &["nobody says where that is; say postgres.url or postgres.host"],
        ),
        (&[("PALINODE_CREATE_REPLICATION", "1")], &["2 replicas cannot be in sync out of 1"]),
        (&[KAFKA, ("PALINODE_KAFKA_SASL_USERNAME", "u")], &["plaintext has no use for it; use sasl_ssl"]),
        (
            &[KAFKA, ("PALINODE_KAFKA_SECURITY_PROTOCOL", "sasl_ssl"), ("PALINODE_KAFKA_SASL_USERNAME", "u")],
            &["kafka.sasl_mechanism is missing", "kafka.sasl_password is missing"],
        ),
        (
            &[KAFKA, ("PALINODE_KAFKA_GROUP_PROTOCOL", "consumer"), ("PALINODE_KAFKA_SESSION_TIMEOUT", "9s")],
            &["its own timeouts hold"],
        ),
        (
            &[("PALINODE_POSTGRES_URL", "postgres://localhost/a"), ("PALINODE_POSTGRES_DATABASE", "b")],
            &[
                "the variable PALINODE_POSTGRES_DATABASE: the variable PALINODE_POSTGRES_URL says it as well, as a URL",
            ],
        ),
    ] {
        let said = wrong(environment(variables));
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said}");
        }
    }
    let file = File::of("");
    let pem = file.beside("a.pem", "");
    for name in ["KAFKA_SSL_KEY", "KAFKA_SSL_CERTIFICATE", "POSTGRES_SSL_KEY", "POSTGRES_SSL_CERTIFICATE"] {
        let name = format!("PALINODE_{name}");
        let said = wrong(environment(&[
            KAFKA,
            ("PALINODE_KAFKA_SECURITY_PROTOCOL", "ssl"),
            ("PALINODE_POSTGRES_HOST", "localhost"),
            (&name, &pem),
        ]));
        assert!(
            said.len() == 1 && said[0].contains(&name) && said[0].contains("of no use without"),
            "{said:?}"
        );
    }
}
