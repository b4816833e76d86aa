//! The fence around a till: charges and refunds in one SQLite file, called again, late, and in the wrong order.

use std::sync::Arc;

use palinode::{Address, Attempt, Failure, ManualClock, Micros};
use palinode_sagas::{
    fence::sqlite::{No, create, once, probe, void},
    outcome::{Probed, Voided},
};
use sqlx::{
    Row, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

struct Till {
    pool: SqlitePool,
    _folder: tempfile::TempDir,
}

async fn till() -> Till {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("till.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    create(&pool).await.unwrap();
    sqlx::query("CREATE TABLE charge (amount INTEGER NOT NULL)").execute(&pool).await.unwrap();
    Till { pool, _folder: folder }
}

fn attempt(key: &str, round: u32) -> Attempt {
    Attempt {
        entity: Address::new("trip", "book-trip", "one"),
        key: key.into(),
        round,
        attempt: 1,
        time: Micros(1),
        begin_by: Micros(i64::MAX),
        clock: Arc::new(ManualClock::at(Micros(1))),
        cancel: tokio_util::sync::CancellationToken::new(),
        traceparent: None,
        telemetry: palinode::telemetry::Telemetry::default(),
    }
}

async fn book(tx: &mut SqliteConnection, amount: i64) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO charge VALUES (?1)").bind(amount).execute(tx).await.map(drop)
}

impl Till {
    /// Charges an amount; more than 100 is refused, after it was booked.
    async fn charge(&self, round: u32, amount: i64) -> Result<String, Failure> {
        once(&self.pool, &attempt("pay/do", round), &amount, String::new(), move |tx| {
            Box::pin(async move {
                book(tx, amount).await?;
                Ok(if amount > 100 {
                    Err(No { code: "declined".into(), text: "over the limit".into() })
                } else {
                    Ok(format!("charged {amount}"))
                })
            })
        })
        .await
    }

    async fn refund(&self, round: u32, amount: i64) -> Result<(), Failure> {
        once(&self.pool, &attempt("pay/undo", round), &amount, (), move |tx| {
            Box::pin(async move {
                book(tx, -amount).await?;
                Ok(Ok(()))
            })
        })
        .await
    }

    async fn probe(&self) -> Probed<String> {
        probe(&self.pool, &attempt("pay/probe", 1), &"did it?").await.unwrap()
    }

    async fn void(&self, attempts: u32) -> Voided<String> {
        let mut cx = attempt("pay/void", 1);
        cx.attempt = attempts;
        void(&self.pool, &cx, &"never!").await.unwrap()
    }

    async fn net(&self) -> (i64, i64) {
        let row = sqlx::query("SELECT count(*), coalesce(sum(amount), 0) FROM charge");
        let row = row.fetch_one(&self.pool).await.unwrap();
        (row.get(0), row.get(1))
    }
}

fn code<R: std::fmt::Debug>(result: Result<R, Failure>) -> String {
    match result {
        Err(Failure::Refused { code, .. }) => code.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_repeated_has_one_effect_and_the_same_answer() {
    let till = till().await;
    assert_eq!(till.charge(1, 40).await, Ok("charged 40".into()));
    assert_eq!(till.charge(1, 40).await, Ok("charged 40".into()));
    assert_eq!(till.net().await, (1, 40));
    assert!(matches!(till.charge(1, 41).await, Err(Failure::Fatal(_))), "other bytes under the same key");
}

#[tokio::test]
async fn two_calls_at_the_same_moment_have_one_effect() {
    let till = till().await;
    let (a, b) = tokio::join!(till.charge(1, 40), till.charge(1, 40));
    assert_eq!((a, b), (Ok("charged 40".into()), Ok("charged 40".into())));
    assert_eq!(till.net().await, (1, 40));
}

#[tokio::test]
async fn a_refusal_leaves_only_its_row_and_a_new_round_is_a_new_try() {
    let till = till().await;
    assert_eq!(code(till.charge(1, 500).await), "declined");
    assert_eq!(till.net().await, (0, 0), "what was booked before the refusal is gone");
    assert_eq!(code(till.charge(1, 500).await), "declined");
    assert_eq!(till.charge(2, 50).await, Ok("charged 50".into()));
    assert_eq!(till.net().await, (1, 50));
}

#[tokio::test]
async fn cx30_a_lower_round_than_the_highest_seen_is_refused() {
    let till = till().await;
    assert_eq!(code(till.charge(3, 500).await), "declined");
    assert_eq!(code(till.charge(2, 10).await), "lower_round");
    assert_eq!(till.net().await, (0, 0));
}

#[tokio::test]
async fn an_undo_before_the_do_is_done_and_refuses_the_late_do() {
    let till = till().await;
    assert_eq!(till.refund(1, 40).await, Ok(()));
    assert_eq!(till.net().await, (0, 0), "there was nothing to undo");
    for round in [1, 2] {
        assert_eq!(code(till.charge(round, 40).await), "tombstoned");
    }
    assert_eq!(till.net().await, (0, 0));
}

#[tokio::test]
async fn an_undo_repeated_has_one_effect() {
    let till = till().await;
    till.charge(1, 40).await.unwrap();
    assert_eq!(till.refund(1, 40).await, Ok(()));
    assert_eq!(till.refund(1, 40).await, Ok(()));
    assert_eq!(till.net().await, (2, 0));
}

#[tokio::test]
async fn an_effect_that_fails_in_the_database_is_transient_and_leaves_no_row() {
    let till = till().await;
    let failed: Result<String, Failure> = once(&till.pool, &attempt("pay/do", 1), &40, String::new(), |tx| {
        Box::pin(async move {
            book(tx, 40).await?;
            sqlx::query("INSERT INTO nowhere VALUES (1)").execute(tx).await?;
            Ok(Ok(String::new()))
        })
    })
    .await;
    assert!(matches!(failed, Err(Failure::Transient(_))), "{failed:?}");
    assert_eq!(till.net().await, (0, 0));
    assert_eq!(till.charge(1, 40).await, Ok("charged 40".into()));
}

#[tokio::test]
async fn an_attempt_that_is_dropped_half_way_still_ends_in_one_effect() {
    let till = till().await;
    let attempt = attempt("pay/do", 1);
    let charge = once(&till.pool, &attempt, &40, String::new(), |tx| {
        Box::pin(async move {
            book(tx, 40).await?;
            Ok(Ok("charged 40".to_owned()))
        })
    });
    assert!(futures_util::FutureExt::now_or_never(charge).is_none(), "it was dropped before it ended");
    assert_eq!(till.charge(1, 40).await, Ok("charged 40".into()));
    assert_eq!(till.net().await, (1, 40));
}

#[tokio::test]
async fn cx27_what_is_voided_can_never_be_charged_and_a_probe_proves_nothing() {
    let till = till().await;
    assert_eq!(till.probe().await, Probed::NotKnown);
    // the attempt that nobody knew of could still have landed here; after the void it cannot
    assert_eq!(till.void(1).await, Voided::Never);
    assert_eq!(till.void(2).await, Voided::Never);
    for round in [1, 2] {
        assert_eq!(code(till.charge(round, 30).await), "tombstoned");
    }
    assert_eq!(till.probe().await, Probed::NotKnown);
    assert_eq!(till.net().await, (0, 0));
}

#[tokio::test]
async fn what_was_charged_is_found_by_a_probe_and_left_by_a_void() {
    let till = till().await;
    assert_eq!(code(till.charge(1, 200).await), "declined");
    assert_eq!(till.probe().await, Probed::NotKnown);
    till.charge(2, 30).await.unwrap();
    assert_eq!(till.probe().await, Probed::Happened("charged 30".into()));
    assert_eq!(till.void(1).await, Voided::Done("charged 30".into()));
    assert_eq!(till.charge(2, 30).await.unwrap(), "charged 30");
    assert_eq!(till.net().await, (1, 30));
}

#[tokio::test]
async fn a_void_and_a_charge_at_the_same_moment_agree() {
    for _ in 0..20 {
        let till = till().await;
        let (charged, voided) = tokio::join!(till.charge(1, 30), till.void(1));
        match voided {
            Voided::Done(_) => assert_eq!(charged.unwrap(), "charged 30"),
            Voided::Never => assert_eq!(code(charged), "tombstoned"),
        }
        assert!(till.net().await.0 <= 1);
    }
}
