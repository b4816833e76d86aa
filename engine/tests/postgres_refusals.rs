//! A database that cannot be used says why, and where it is; and never the password.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may be blunt")]

use palinode::{
    checkpoint::{ApplyError, Class},
    store::postgres::{PgDb, PgSettings, fresh::FreshDatabase},
};
use sqlx::{AssertSqlSafe, PgConnection};

async fn refused(settings: PgSettings) -> ApplyError {
    PgDb::connect(settings).await.err().unwrap()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_server_that_is_not_there_is_named() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(PgSettings::new("127.0.0.1", nobody, "ada", "bookings")).await;
    assert_eq!(error.class, Class::Outage);
    assert!(error.what.contains("cannot use PostgreSQL at"), "{error}");
    assert!(error.what.contains(&format!("127.0.0.1:{nobody}")) && error.what.contains("refused"), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_database_that_is_not_there_is_named() {
    let fresh = FreshDatabase::new().await.unwrap();
    let options = fresh.options();
    let error =
        refused(PgSettings::new("127.0.0.1", options.get_port(), options.get_username(), "nowhere")).await;
    assert!(error.what.contains("database \"nowhere\" does not exist"), "{error}");
}

/// Puts this line before all others in the file that says who may come in, and has it read.
async fn rule(conn: &mut PgConnection, line: &str) {
    let sql = format!(
        "create temporary table rule (n serial, line text); \
         insert into rule (line) values ('{line}'); \
         insert into rule (line) select regexp_split_to_table(pg_read_file(current_setting('hba_file')), '\\n'); \
         do $$ begin execute format('copy (select line from rule order by n) to %L', current_setting('hba_file')); end $$; \
         drop table rule; select pg_reload_conf()"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_wrong_password_is_refused_and_not_told() {
    // given a user of whom the server asks a password
    let fresh = FreshDatabase::new().await.unwrap();
    let (options, mut conn) = (fresh.options(), fresh.connect().await.unwrap());
    let name = options.get_database().unwrap();
    let user = format!("{name}_user");
    rule(&mut conn, &format!("host {name} {user} 127.0.0.1/32 scram-sha-256")).await;
    let sql =
        format!("create role {user} login password 'open-sesame'; grant all on schema public to {user}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    let by =
        |password: &str| PgSettings::new("127.0.0.1", options.get_port(), &user, name).password(password);
    // when the file is read again, a wrong one is refused
    let error = loop {
        match PgDb::connect(by("hunter2")).await {
            Ok(let_in) => let_in.close().await,
            Err(error) => break error,
        }
    };
    assert!(error.what.contains("password authentication failed"), "{error}");
    assert!(error.what.contains(&user) && !error.what.contains("hunter2"), "{error}");
    // and the right one is let in
    PgDb::connect(by("open-sesame")).await.unwrap().close().await;
    let sql = format!("drop owned by {user}; drop role {user}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
}
