//! Each rule finds what is planted, and lets pass what is allowed. A rule that never fires checks nothing.

use crate::{Rule, arrows, files, lists, rooms, tree::Tree, verdicts};

/// Expects breaches in these files, and in these only.
#[track_caller]
fn finds(rule: Rule, breaking: &[(&str, &str)], allowed: &[(&str, &str)]) {
    let tree = Tree::of(&[breaking, allowed].concat());
    let mut found: Vec<String> = rule(&tree).into_iter().map(|b| b.path).collect();
    let mut expected: Vec<&str> = breaking.iter().map(|(path, _)| *path).collect();
    expected.sort_unstable();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, expected);
}

#[test]
fn long_files_and_files_without_header() {
    let long = "//! x\n".repeat(401);
    finds(files::small, &[("engine/src/a.rs", &long)], &[("engine/src/b.rs", &long[6..])]);
    let bare = [("engine/src/a.rs", "use x;\n//! late"), ("engine/src/b.rs", "")];
    finds(files::headed, &bare, &[("engine/src/c.rs", "//! c"), ("sagas/tests/ui/d.rs", "fn main() {}")]);
}

#[test]
fn forbidden_names_and_unfinished_work() {
    finds(files::no_mod_rs, &[("engine/src/log/mod.rs", "//!")], &[("engine/src/mode.rs", "//!")]);
    let later = concat!("// TO", "DO: more");
    let breaking = [("engine/src/a.rs", later), ("migrations/sqlite/1.sql", later)];
    finds(files::finished, &breaking, &[("engine/src/c.rs", "// to do so is fine; ignored")]);
}

#[test]
fn tests_that_are_set_aside() {
    let slow = concat!("#[test]\n#[ig", "nore = \"slow\"]\n");
    let kafka =
        concat!("    #[tokio::test]\n    #[ig", "nore = \"needs Kafka: cargo xtask test starts one\"]\n");
    let half = format!("{kafka}#[test]\nfn always() {{}}");
    let breaking = [
        ("sagas/tests/a.rs", slow),
        ("engine/src/b.rs", slow),
        ("engine/tests/kafka_c.rs", slow),
        ("engine/tests/kafka_d/main.rs", &half),
        // It says that it needs another server than its target's name does.
        ("engine/tests/postgres_e.rs", kafka),
        ("engine/tests/log_kafka_f.rs", kafka),
    ];
    let helper = "pub(crate) fn help() {}";
    finds(
        files::set_aside,
        &breaking,
        &[("engine/tests/kafka_g.rs", kafka), ("engine/tests/kafka_h/help.rs", helper)],
    );
}

#[test]
fn impure_rooms() {
    let breaking = [
        ("engine/src/machine/timers.rs", "use std::collections::{BTreeMap, HashMap};"),
        ("engine/src/machine.rs", "fn now() -> i64 { std::time::SystemTime::now() }"),
        ("engine/src/codec.rs", "use tokio::sync::mpsc;"),
        ("engine/src/entity/aggregate.rs", "use std::{fmt, fs::File};"),
        ("sagas/src/coordinator/step.rs", "async fn f() {}"),
    ];
    let allowed = [
        ("engine/src/owner.rs", "use tokio::sync::mpsc;"),
        ("engine/src/machine_room.rs", "use tokio::sync::mpsc;"),
        (
            "engine/src/time.rs",
            "//! No SystemTime.\nuse std::time::Duration; // tokio\nconst A: &str = \"HashMap\";",
        ),
        (
            "engine/src/message.rs",
            "fn a<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests { use std::collections::HashSet; }",
        ),
        ("engine/src/address.rs", "fn await_me() {}"),
    ];
    finds(rooms::pure, &breaking, &allowed);
}

#[test]
fn pure_rooms_that_look_outward() {
    let breaking = [
        ("engine/src/machine.rs", "use crate::{codec, log::{Append, Log}, time::Micros};"),
        ("engine/src/codec.rs", "fn f(x: crate::snapshots::Row) {}"),
    ];
    let allowed = [
        ("engine/src/machine/fold.rs", "use crate::{codec::{self, Entry}, position::Position};"),
        ("engine/src/relay.rs", "use crate::log::Log;"),
        ("engine/src/entity.rs", "/// See [`crate::log::Log`].\nuse crate::message::log;"),
    ];
    finds(rooms::inward, &breaking, &allowed);
}

#[test]
fn crates_that_know_too_much() {
    let breaking = [
        ("engine/src/node.rs", "use palinode_sagas::Saga;"),
        ("engine/src/view.rs", "struct SagaRow;"),
        ("engine/Cargo.toml", "[dev-dependencies]\npalinode-sagas = { path = \"../sagas\" }"),
    ];
    let allowed = [(
        "engine/src/entity.rs",
        "//! Sagas adapt themselves.\nconst A: &str = \"saga\"; enum B { GenesisAgain }",
    )];
    finds(arrows::engine_without_sagas, &breaking, &allowed);

    let breaking = [
        ("verify/src/fold.rs", "use palinode::Digest;"),
        ("verify/Cargo.toml", "[dependencies]\npalinode.workspace = true"),
    ];
    let allowed = [("verify/src/log.rs", "const SQL: &str = \"palinode_record\"; fn palinode_like() {}")];
    finds(arrows::checker_apart, &breaking, &allowed);
    let tests = "[dependencies]\nsha2.workspace = true\n[dev-dependencies]\npalinode.workspace = true";
    finds(arrows::checker_apart, &[], &[("verify/Cargo.toml", tests)]);
    finds(arrows::migrations_alone, &[("migrations/Cargo.toml", "[dependencies]\nsqlx = \"1\"")], &[]);
}

#[test]
fn adapters_and_drivers_outside_their_places() {
    let breaking = [
        ("engine/src/owner/claim.rs", "use crate::{log::sqlite::SqliteLog, time::Micros};"),
        ("engine/src/relay.rs", "fn f() { crate::store::memory::MemoryStore::new() }"),
        ("engine/src/log/kafka.rs", "use super::memory::MemoryLog;"),
    ];
    let allowed = [
        ("engine/src/lib.rs", "pub use crate::log::memory::MemoryLog;"),
        ("engine/src/node/embedded.rs", "use crate::log::sqlite::SqliteLog;"),
        ("engine/src/log/sqlite/read.rs", "use crate::log::sqlite::Writer; use super::read;"),
        ("engine/src/log.rs", "pub mod memory; pub mod sqlite;"),
        ("engine/src/owner.rs", "#[cfg(test)]\nmod tests { use crate::log::memory::MemoryLog; }"),
    ];
    finds(arrows::adapters, &breaking, &allowed);

    let breaking =
        [("engine/src/owner.rs", "use sqlx::Row;"), ("engine/src/store/postgres.rs", "use rusqlite::Row;")];
    let allowed = [
        ("engine/src/log/sqlite/append.rs", "use rusqlite::Connection;"),
        ("engine/src/projection/runner.rs", "use sqlx::Transaction;"),
    ];
    finds(arrows::drivers, &breaking, &allowed);
}

#[test]
fn a_second_judge() {
    let breaking = [
        ("engine/src/owner.rs", "fn f() -> Verdict { Verdict::Commit(c) }"),
        ("engine/src/relay.rs", "fn f() { g(Ok(Verdict::Dead(Dead::Unmarked))); }"),
    ];
    let allowed = [
        ("engine/src/machine/fold.rs", "fn f() -> Verdict { Verdict::Commit(c) }"),
        (
            "engine/src/owner/recover.rs",
            "fn f(v: Verdict) { match v { Ok(Verdict::Commit(c)) if c.ok() => {} Verdict::Dead(_) | Verdict::Claim(..) => {} }
             let Ok(Verdict::Commit(c)) = v else { return }; matches!(v, Ok(Verdict::Genesis(_))) }",
        ),
        ("sagas/src/fence.rs", "enum Verdict { Execute } fn f() -> Verdict { Verdict::Execute }"),
    ];
    finds(verdicts::one_judge, &breaking, &allowed);
}

#[test]
fn migrations_out_of_line() {
    let lib = "Migration { number: 1, name: \"log\", sql: include_str!(\"../sqlite/0001_log.sql\") },
               Migration { number: 2, name: \"rows\", sql: include_str!(\"../sqlite/0002_rows.sql\") },
               Migration { number: 2, name: \"lines\", sql: include_str!(\"../sqlite/0002_lines.sql\") },
               Migration { number: 1, name: \"log\", sql: include_str!(\"../postgres/0001_log.sql\") },";
    let breaking = [
        ("migrations/sqlite/0002_rows.sql", ""),
        ("migrations/sqlite/0003_forgotten.sql", ""),
        ("migrations/sqlite/4_short.sql", ""),
    ];
    let allowed = [
        ("migrations/src/lib.rs", lib),
        ("migrations/sqlite/0001_log.sql", ""),
        ("migrations/sqlite/0002_lines.sql", ""),
        ("migrations/postgres/0001_log.sql", ""),
    ];
    finds(lists::migrations, &breaking, &allowed);
    let other = "Migration { number: 1, name: \"ids\", sql: include_str!(\"../sqlite/0001_ids.sql\") },";
    let lib = format!("{lib}{other}");
    let allowed = [("migrations/src/lib.rs", lib.as_str()), ("migrations/postgres/0001_log.sql", "")];
    finds(lists::migrations, &[("migrations/sqlite/0001_ids.sql", "")], &allowed);
}

#[test]
fn a_program_of_the_tour_that_no_page_lists() {
    let program = [("examples/tour/examples/crash.rs", "//! c")];
    let listed = [
        ("README.md", "The tour: `hello`, `trip`."),
        ("examples/tour/examples/hello.rs", "//! h"),
        ("examples/tour/examples/trip/main.rs", "//! t"),
        ("examples/tour/examples/trip/rooms.rs", "//! r"),
    ];
    finds(lists::tour, &program, &listed);
    finds(lists::tour, &[], &program);
}
