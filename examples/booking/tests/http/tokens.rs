//! Queries that wait for a write, and those that are told why they do not see it.

use crate::{
    run::Data,
    server::{Server, trip},
};

#[test]
fn a_query_with_a_token_sees_the_write_every_time() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    for n in 0..50 {
        let accepted = server.post(&n.to_string(), &trip("GBR"));
        let path = format!("/trips/{}", accepted.body["id"].as_str().unwrap());
        let shown = server.ask("GET", &path, &[("palinode-token", accepted.token())], "");
        assert_eq!(shown.status, 200, "{shown:?}");
    }
}

#[test]
fn a_token_that_cannot_be_reached_is_refused_with_the_reason() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let accepted = server.post("a", &trip("GBR"));
    let (log, _) = accepted.token().rsplit_once('~').unwrap();
    let ask = |path: &str, token: &str| {
        server.ask("GET", path, &[("palinode-token", token), ("prefer", "wait=0")], "")
    };

    // ahead of everything
    let ahead = format!("{log}~999999");
    for path in ["/trips", "/trips/00c0ffee00c0ffee", "/sagas"] {
        let answer = ask(path, &ahead);
        answer.is(412, "not-yet");
        assert!(answer.body["where"].as_str().unwrap().contains(&ahead), "{answer:?}");
    }
    // of another service, of another log, of a shard that is not there
    let elsewhere = accepted.token().replacen("trip~", "hotel~", 1);
    let (service, shard) =
        (accepted.token().split('~').next().unwrap(), "0192a5b4-7d6e-7c3a-9f00-112233445566~0~1");
    ask("/rooms", accepted.token()).is(412, "wrong-log");
    ask("/seats", accepted.token()).is(412, "wrong-log");
    ask("/trips", &elsewhere).is(412, "wrong-log");
    ask("/trips", &format!("{service}~{shard}")).is(412, "wrong-log");
    let no_shard = accepted.token().rsplitn(3, '~').last().unwrap();
    ask("/trips", &format!("{no_shard}~8~1")).is(412, "wrong-log");

    // none at all, or too many
    for token in ["", "a", "trip~1~2~3", "trip~~~", "\u{e4}"] {
        ask("/trips", token).is(400, "invalid-parameter");
    }
    let many = [accepted.token(); 17].join(",");
    ask("/trips", &many).is(400, "invalid-parameter");
    let sixteen = [accepted.token(); 16].join(",");
    assert_eq!(server.ask("GET", "/trips", &[("palinode-token", &sixteen)], "").status, 200);
}

#[test]
fn a_read_model_that_stands_still_is_said_to() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    server.post("a", &trip("GBR"));

    // given a read model that another process took over
    let db = rusqlite::Connection::open(data.folder().join("read.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    let taken = "update palinode_checkpoint set epoch = epoch + 1 where projection = 'trips'";
    assert!(db.execute(taken, []).unwrap() > 0);

    // when a trip is booked that it would have shown
    let accepted = server.post("b", &trip("PRT"));
    assert_eq!(accepted.status, 202, "writing goes on");
    server.until("GET", "/readyz", |answer| answer.status == 503).is(503, "not-ready");

    // then what follows it is refused with the reason, and the rest is served
    let token = [("palinode-token", accepted.token())];
    let path = format!("/trips/{}", accepted.body["id"].as_str().unwrap());
    let refused = server.ask("GET", &path, &token, "");
    refused.is(412, "stopped");
    assert!(refused.body["detail"].as_str().unwrap().contains("trips"), "{refused:?}");
    assert_eq!(server.get("/trips").status, 200, "without a token it shows what it has");
    assert_eq!(server.ask("GET", "/sagas", &token, "").status, 200);
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn a_write_that_a_read_model_cannot_take_is_said_to_be_parked() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    server.post("a", &trip("GBR"));

    // given a table that takes every trip but one
    let db = rusqlite::Connection::open(data.folder().join("read.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    let no = "create trigger no before insert on trip_v1 when new.id = '00c0ffee00c0ffee' \
        begin select raise(abort, 'not this one'); end";
    db.execute_batch(no).unwrap();

    // when that one is booked, and another
    let mut form = trip("GBR");
    form["id"] = "00c0ffee00c0ffee".into();
    let unlucky = server.ask("POST", "/trips", &[("content-type", "application/json")], &form.to_string());
    let lucky = server.post("b", &trip("GBR"));
    assert_eq!((unlucky.status, lucky.status), (202, 202), "writing goes on");

    // then whoever waits for it is told that it is set aside, and others are served
    let path = "/trips/00c0ffee00c0ffee";
    let refused = server.ask("GET", path, &[("palinode-token", unlucky.token()), ("prefer", "wait=10")], "");
    refused.is(412, "parked");
    assert!(refused.body["detail"].as_str().unwrap().contains("00c0ffee00c0ffee"), "{refused:?}");
    let seen = format!("/trips/{}", lucky.body["id"].as_str().unwrap());
    assert_eq!(server.ask("GET", &seen, &[("palinode-token", lucky.token())], "").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
}
