//! A server that does not answer any more: what is said about the transaction, and that it is true.

use std::time::Duration;

use palinode::checkpoint::{Class, Transacted};

use crate::{
    proxy::Then,
    world::{put, world},
};

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_commit_that_is_not_answered_is_unknown() {
    let world = world(|settings| settings.writers(1)).await;
    let mut expected = Vec::new();
    for (n, then) in [(0, Then::CutAfter), (1, Then::CutBefore), (2, Then::CutAfter)] {
        world.proxy.at("commit", then);
        let end = put(&world.db, n).await;
        assert!(matches!(&end, Transacted::Unknown(e) if e.class == Class::Outage), "{end:?}");
        if then == Then::CutAfter {
            expected.push(n);
        }
        // and the next one reads what is decided
        let count = i64::try_from(expected.len()).unwrap();
        assert_eq!(put(&world.db, n + 10).await, Transacted::Committed(count));
        expected.push(n + 10);
        expected.sort_unstable();
        assert_eq!(world.numbers().await, expected);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn what_is_cut_before_the_commit_did_not_happen() {
    for words in ["insert into done", "insert into twice", "set constraints"] {
        let world = world(|settings| settings.writers(1)).await;
        world.proxy.at(words, Then::CutAfter);
        let end = put(&world.db, 7).await;
        assert!(matches!(&end, Transacted::RolledBack(e) if e.class == Class::Outage), "{words}: {end:?}");
        assert_eq!(put(&world.db, 8).await, Transacted::Committed(0), "{words}");
        assert_eq!(world.numbers().await, [8]);
    }
}

/// C3: it is decided by the time of the answer, also when the COMMIT still is on its way.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_commit_that_is_late_does_not_happen_after_it_was_looked_for() {
    let world = world(|settings| settings.writers(1)).await;
    // given a COMMIT that hangs on its way, while its session stays in the server with its locks
    world.proxy.at("commit", Then::Late);
    let end = put(&world.db, 1).await;
    assert!(matches!(end, Transacted::Unknown(_)), "{end:?}");
    assert_eq!(world.sessions("idle in transaction").await, 1);
    // when the next transaction looks
    assert_eq!(put(&world.db, 1).await, Transacted::Committed(0));
    // then what it saw is decided: the COMMIT arrives at nobody
    assert_eq!(world.sessions("idle in transaction").await, 0);
    world.proxy.release();
    assert_eq!(put(&world.db, 2).await, Transacted::Committed(1));
    assert_eq!(world.numbers().await, [1, 2]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_silent_server_is_given_up() {
    let limit = Duration::from_millis(200);
    let world = world(|settings| settings.writers(1).transaction_timeout(limit)).await;
    for (words, unknown) in [("insert into done", false), ("commit", true)] {
        world.proxy.at(words, Then::HoldAnswer);
        let end = put(&world.db, 1).await;
        match (&end, unknown) {
            (Transacted::RolledBack(e), false) | (Transacted::Unknown(e), true) => {
                assert!(e.class == Class::Outage && e.what.contains("has not answered"), "{e}");
            }
            _ => panic!("{words}: {end:?}"),
        }
        world.proxy.release();
    }
    let before = i64::try_from(world.numbers().await.len()).unwrap();
    assert_eq!(put(&world.db, 2).await, Transacted::Committed(before));
}
