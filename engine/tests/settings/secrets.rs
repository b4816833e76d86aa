//! Secrets: read from files as well, never printed, wherever they stand and whatever is wrong with them.

use palinode::settings::{ExposeSecret, Sources};

use super::{File, environment, sound, wrong};

const SASL: [(&str, &str); 4] = [
    ("PALINODE_KAFKA_BOOTSTRAP", "localhost:9092"),
    ("PALINODE_KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
    ("PALINODE_KAFKA_SASL_MECHANISM", "PLAIN"),
    ("PALINODE_KAFKA_SASL_USERNAME", "u"),
];

#[test]
fn a_secret_comes_from_a_file_in_every_source() {
    let file = File::of("");
    let secret = file.beside("secret", "hunter2\n");
    let toml = File::of(&format!("[kafka]\nsasl_password_file = {secret:?}\n"));
    let flags = || {
        Sources::new()
            .environment(SASL)
            .arguments(["--kafka-sasl-password-file".to_owned(), secret.clone()])
            .0
    };
    for sources in [
        Sources::new().file(toml.path()).environment(SASL),
        environment(&SASL).environment([("PALINODE_KAFKA_SASL_PASSWORD_FILE", &secret)]),
        flags(),
    ] {
        let kafka = sound(sources).kafka.unwrap();
        assert_eq!(kafka.properties()["sasl.password"], "hunter2");
    }
    // A flag for the secret itself there is not: everybody on a machine sees flags.
    let (_, rest) = Sources::new().arguments(["--kafka-sasl-password=x".to_owned()]);
    assert_eq!(rest, ["--kafka-sasl-password=x"]);
}

#[test]
fn a_secret_and_its_file_are_one_setting() {
    let file = File::of("[postgres]\nhost = \"localhost\"\npassword = \"old\"\n");
    let secret = file.beside("secret", "new");
    let later = Sources::new().file(file.path()).environment([("PALINODE_POSTGRES_PASSWORD_FILE", &secret)]);
    assert_eq!(sound(later).postgres.unwrap().password.unwrap().expose_secret(), "new");
    let both = environment(&[
        ("PALINODE_POSTGRES_PASSWORD", "hunter2"),
        ("PALINODE_POSTGRES_PASSWORD_FILE", &secret),
    ]);
    assert_eq!(
        wrong(both.environment([("PALINODE_POSTGRES_HOST", "localhost")])),
        [
            "the variable PALINODE_POSTGRES_PASSWORD_FILE: the variable PALINODE_POSTGRES_PASSWORD says it as well; say one \
          of the two"
        ]
    );
}

#[test]
fn nothing_prints_a_secret() {
    let sources = environment(&SASL).environment([
        ("PALINODE_KAFKA_SASL_PASSWORD", "hunter2"),
        ("PALINODE_POSTGRES_URL", "postgres://u:hunter2@localhost/d"),
        ("PALINODE_POSTGRES_PASSWORD", "hunter2"),
    ]);
    assert!(!format!("{sources:?}").contains("hunter"), "{sources:?}");
    let settings = sound(sources);
    assert_eq!(settings.kafka.as_ref().unwrap().properties()["sasl.password"], "hunter2");
    assert!(!format!("{settings:?}").contains("hunter"), "{settings:?}");
}

#[test]
fn no_error_prints_a_secret() {
    let file = File::of("[postgres]\nurl = \"postgres://u:hunter2@db.example/d?sslmode=disable\"\n");
    let torn = File::of("[kafka]\nsasl_password = \"hunter2\nnode = 1\n");
    let odd = File::of("[postgres]\npassword = { hunter2 = 1 }\n[kafka]\nsasl_password = [\"hunter2\", 1]\n");
    for sources in [
        environment(&[("PALINODE_POSTGRES_URL", "u:hunter2@localhost")]),
        environment(&[("PALINODE_POSTGRES_PASSWORD", "hunter2")]),
        environment(&[("PALINODE_POSTGRES_PASWORD", "hunter2")]),
        environment(&[("PALINODE_KAFKA_SASL_PASSWORD", "hunter2")]),
        environment(&[
            ("PALINODE_KAFKA_BOOTSTRAP", "localhost:1"),
            ("PALINODE_KAFKA_SASL_PASSWORD", "hunter2"),
        ]),
        Sources::new().file(file.path()),
        Sources::new().file(torn.path()),
    ] {
        let said = wrong(sources).join("\n");
        assert!(!said.contains("hunter"), "{said}");
    }
    // A key is no secret; the value in the list is.
    let said = wrong(Sources::new().file(odd.path())).join("\n");
    assert!(said.contains("postgres.password.hunter2") && said.matches("hunter2").count() == 1, "{said}");
}

#[test]
fn a_file_with_a_secret_that_is_not_there_or_empty() {
    let file = File::of("");
    let empty = file.beside("empty", "\n");
    for (path, expected) in [
        (
            "/no/secret",
            "the variable PALINODE_POSTGRES_PASSWORD_FILE: \"/no/secret\" cannot be read: No such file or directory (os \
             error 2); a file with the secret in it",
        ),
        (&empty, "the variable PALINODE_POSTGRES_PASSWORD_FILE: there is nothing; allowed: a text"),
    ] {
        let sources = environment(&[
            ("PALINODE_POSTGRES_HOST", "localhost"),
            ("PALINODE_POSTGRES_PASSWORD_FILE", path),
        ]);
        assert_eq!(wrong(sources), [expected]);
    }
}
