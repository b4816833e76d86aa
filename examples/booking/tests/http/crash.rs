//! Killed in the middle of posts and started again: whatever was accepted is there.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    run::Data,
    server::{Server, ask_at, trip},
};

const CLIENTS: usize = 4;

#[test]
fn every_trip_that_was_accepted_is_there_after_a_kill() {
    let data = Data::new();
    let accepted = Mutex::new(BTreeMap::new());

    // given three lives of a server, each killed while clients post
    for life in 0..3 {
        let server = Server::start(data.folder(), &["--hold", "0.3"]);
        let address = server.address.clone();
        let (count, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (address, accepted, count, over) = (&address, &accepted, &count, &over);
                scope.spawn(move || {
                    for n in 0.. {
                        let key = format!("{life}-{client}-{n}");
                        let headers =
                            [("content-type", "application/json"), ("idempotency-key", key.as_str())];
                        let form = trip("GBR").to_string();
                        match ask_at(address, "POST", "/trips", &headers, &form) {
                            Some(answer) if answer.status == 202 => {
                                accepted.lock().unwrap().insert(key, answer);
                                count.fetch_add(1, Ordering::SeqCst);
                            }
                            _ if over.load(Ordering::SeqCst) => return,
                            _ => {}
                        }
                    }
                });
            }
            while count.load(Ordering::SeqCst) < 40 {
                thread::yield_now();
            }
            over.store(true, Ordering::SeqCst);
            server.kill();
        });
    }

    // when it is started again
    let server = Server::start(data.folder(), &["--hold", "0.3"]);

    // then every trip that was accepted is shown, and posting it again gives the same answer
    let accepted = accepted.into_inner().unwrap();
    assert!(accepted.len() >= 120);
    for (key, answer) in &accepted {
        let id = answer.body["id"].as_str().unwrap();
        let shown = server.ask("GET", &format!("/trips/{id}"), &[("palinode-token", answer.token())], "");
        assert_eq!(shown.status, 200, "{key} was accepted and is lost: {shown:?}");
        let again = server.post(key, &trip("GBR"));
        assert_eq!((again.status, &again.body), (202, &answer.body), "{key}");
    }

    // and everything agrees once all have ended
    server.rests();
    server.until("GET", "/sagas?status=forward", |a| a.body["sagas"] == serde_json::json!([]));
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    let verified = data.good(&["verify"]);
    let trips = verified["read_models"]["trip"].as_u64().unwrap();
    assert!(trips >= accepted.len() as u64, "{verified}");
}
