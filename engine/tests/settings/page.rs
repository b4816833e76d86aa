//! The page of all settings is what the code says: every key with its variable, its flag, its default.

use std::{collections::BTreeSet, path::Path};

use palinode::settings::{KEYS, Key, Kind};

fn row(key: &Key) -> String {
    let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
    let file = if key.kind == Kind::Secret { "_FILE" } else { "" };
    format!(
        "| `{}` | `{}{file}` | `{}` | {} | {default} | {} |",
        key.name,
        key.variable(),
        key.flag(),
        key.allowed(),
        key.what
    )
}

#[test]
fn the_page_lists_every_key_in_order() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let listed: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.contains("`PALINODE_")).collect();
    let expected: Vec<String> = KEYS.iter().map(row).collect();
    assert_eq!(listed, expected, "the table should be:\n{}", expected.join("\n"));
}

#[test]
fn names_are_unique_and_derived() {
    let all = |name: fn(&Key) -> String| KEYS.iter().map(name).collect::<BTreeSet<_>>().len();
    assert_eq!(all(|key| key.name.to_owned()), KEYS.len());
    assert_eq!((all(Key::variable), all(Key::flag)), (KEYS.len(), KEYS.len()));
    let key = KEYS.iter().find(|key| key.name == "kafka.sasl_password").unwrap();
    assert_eq!(key.variable(), "PALINODE_KAFKA_SASL_PASSWORD");
    assert_eq!(key.flag(), "--kafka-sasl-password-file");
    assert!(key.is_secret());
}
