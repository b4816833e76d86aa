//! A bank across a socket: what it answers, and what is not known when it does not.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    domain::TripId,
    http::Limits,
    payment::{Office, book::tests::of},
    trips::rules::{payment_is_declined, tests::trip_where},
};

fn good() -> TripId {
    trip_where(|trip| !payment_is_declined(trip))
}

async fn office(folder: &tempfile::TempDir) -> (Office, RemoteBank) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = Limits { connections: 8, patience: Duration::from_secs(10) };
    let office = Office::open(&folder.path().join("payments.db"), listener, limits).unwrap();
    let bank = RemoteBank::at(&format!("http://{}", office.address())).unwrap();
    (office, bank)
}

/// Someone who answers every request with these bytes and hangs up.
async fn stranger(says: &'static str) -> RemoteBank {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(says.as_bytes()).await;
        }
    });
    RemoteBank::at(&format!("http://{address}")).unwrap()
}

#[tokio::test]
async fn a_charge_is_made_once_whoever_asks_again() {
    let folder = tempfile::tempdir().unwrap();
    let (office, bank) = office(&folder).await;
    let first = bank.charge(of(good(), 1, 700), None).await;
    assert_eq!(first, Ok("pay-1".into()));
    office.close().await;

    let (office, bank) = self::office(&folder).await;
    assert_eq!(bank.charge(of(good(), 1, 700), None).await, first, "the bank was closed and opened");
    let ledger = bank.ledger().await.unwrap();
    assert_eq!(ledger, Ledger::read(&folder.path().join("payments.db")).unwrap());
    assert_eq!((ledger.charges.len(), ledger.charges[0].cents, ledger.answered), (1, 700, 1));
    office.close().await;
}

#[tokio::test]
async fn what_the_bank_refuses_is_refused_here() {
    let folder = tempfile::tempdir().unwrap();
    let (office, bank) = office(&folder).await;
    let declined = bank.charge(of(trip_where(payment_is_declined), 1, 1), None).await;
    assert!(matches!(&declined, Err(Failure::Refused { code, .. }) if &**code == "declined"), "{declined:?}");
    bank.charge(of(good(), 1, 1), None).await.unwrap();
    let conflict = bank.charge(of(good(), 1, 2), None).await;
    assert!(matches!(conflict, Err(Failure::Fatal(_))), "{conflict:?}");
    office.close().await;
}

#[tokio::test]
async fn nobody_there_is_not_done_and_silence_is_unknown() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let away = RemoteBank::at(&format!("http://{free}")).unwrap().charge(of(good(), 1, 1), None).await;
    assert!(matches!(away, Err(Failure::Transient(_))), "{away:?}");

    for says in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n",
    ] {
        let unknown = stranger(says).await.charge(of(good(), 1, 1), None).await;
        assert!(matches!(unknown, Err(Failure::Unknown(_))), "{says:?}: {unknown:?}");
    }
    let strange = stranger("HTTP/1.1 404 No\r\ncontent-length: 4\r\n\r\nwhat").await;
    let strange = strange.charge(of(good(), 1, 1), None).await;
    assert!(matches!(&strange, Err(Failure::Fatal(why)) if why.contains("404")), "{strange:?}");
}

#[tokio::test]
async fn a_bank_is_told_of_which_trace_a_charge_is_a_part() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bank = RemoteBank::at(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4_096];
        let read = stream.read(&mut head).await.unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let unknown = bank.charge(of(good(), 1, 1), Some(context)).await;
    assert!(matches!(unknown, Err(Failure::Unknown(_))), "{unknown:?}");
    assert!(heard.await.unwrap().contains(&format!("traceparent: {context}\r\n")));
}

#[test]
fn only_a_plain_address_is_a_bank() {
    assert!(RemoteBank::at("http://127.0.0.1:8081").is_ok());
    for bad in ["", "127.0.0.1:8081", "https://a:1", "http://a", "http://a:1/charges", "::"] {
        assert!(RemoteBank::at(bad).is_err(), "{bad}");
    }
}
