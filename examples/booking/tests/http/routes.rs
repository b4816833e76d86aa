//! Every route, as it is meant to be used.

use serde_json::Value;

use crate::{
    run::Data,
    server::{Answer, Server, trip},
};

#[test]
fn a_trip_is_booked_confirmed_and_seen() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);

    // given a trip that was accepted
    let accepted = server.post("ada", &trip("GBR"));
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let id = accepted.body["id"].as_str().unwrap();
    assert_eq!(accepted.header("location"), Some(format!("/trips/{id}").as_str()));
    let shown = server.ask("GET", &format!("/trips/{id}"), &[("palinode-token", accepted.token())], "");
    assert_eq!((shown.status, shown.body["id"].as_str()), (200, Some(id)));

    // when its guest confirms
    let heard = server.ask("POST", &format!("/trips/{id}/confirm"), &[], "");
    assert_eq!(heard.status, 202, "{heard:?}");
    assert!(["taken", "buffered"].contains(&heard.body["outcome"].as_str().unwrap()), "{heard:?}");

    // then it is booked, in every table
    assert_eq!(server.ended(id)["status"], "completed");
    let sagas = server.until("GET", "/sagas?status=completed", |a| a.body["sagas"][0]["id"] == id);
    assert_eq!(sagas.body["sagas"][0]["waiting_for"], Value::Null);
    let nights = server.until("GET", "/rooms?room=resort/A", |a| a.body["nights"][1]["taken"] == 1);
    assert_eq!(nights.body["nights"][0]["night"], "2030-01-12");
    assert_eq!(nights.body["nights"][0]["rooms"], 90);
    let seats = server.until("GET", "/seats", |a| a.body["flights"][0]["taken"] == 2);
    assert_eq!(seats.body["flights"][0]["flight"], "GBR-FAO/2030-01-12");

    // and can no longer be cancelled
    server.ask("POST", &format!("/trips/{id}/cancel"), &[], "").is(409, "trip-ended");
}

#[test]
fn a_trip_that_its_guest_cancels_is_taken_back() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let mut form = trip("GBR");
    form["id"] = "00c0ffee00c0ffee".into();
    let accepted = server.ask(
        "POST",
        "/trips",
        &[("content-type", "application/json; charset=utf-8")],
        &form.to_string(),
    );
    assert_eq!((accepted.status, accepted.body["id"].as_str()), (202, Some("00c0ffee00c0ffee")));
    let heard = server.ask("POST", "/trips/00c0ffee00c0ffee/cancel", &[], "");
    assert_eq!((heard.status, heard.body["outcome"].as_str()), (202, Some("undoing")));
    assert_eq!(server.ended("00c0ffee00c0ffee")["status"], "cancelled");
}

#[test]
fn a_trip_without_id_and_key_is_another_one_each_time() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let post =
        || server.ask("POST", "/trips", &[("content-type", "application/json")], &trip("GBR").to_string());
    let (first, second) = (post(), post());
    assert_eq!((first.status, second.status), (202, 202));
    assert_ne!(first.body["id"], second.body["id"]);
}

/// Reads a list to its end, a page at a time.
fn all(server: &Server, path: &str, list: &str, token: &[(&str, &str)]) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    for _ in 0..100 {
        let page = server.ask("GET", &format!("{path}{after}"), token, "");
        assert_eq!(page.status, 200, "{page:?}");
        rows.extend(page.body[list].as_array().unwrap().clone());
        match page.body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
    panic!("{path} has no end")
}

#[test]
fn pages_show_every_row_once_and_in_order() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);

    // given seven trips, each to another country and night
    let accepted: Vec<Answer> = (0..7)
        .map(|n| {
            let mut form = trip(&format!("AA{}", char::from(b'A' + n)));
            form["first_night"] = format!("2030-02-1{n}").into();
            server.post(&format!("page-{n}"), &form)
        })
        .collect();
    let mut ids: Vec<_> = accepted.iter().map(|a| a.body["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    let tokens = accepted.iter().map(Answer::token).collect::<Vec<_>>().join(", ");
    let tokens = [("palinode-token", tokens.as_str())];

    // then pages of two and three show all of them
    let column = |rows: Vec<Value>, name: &str| -> Vec<String> {
        rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(column(all(&server, "/trips?limit=2", "trips", &tokens), "id"), ids);
    assert_eq!(column(all(&server, "/sagas?limit=3", "sagas", &tokens), "id"), ids);
    assert_eq!(column(all(&server, "/trips?limit=500", "trips", &tokens), "id"), ids);
    assert_eq!(all(&server, "/trips?status=killed&limit=2", "trips", &tokens), [] as [Value; 0]);

    // and of trips that stand so
    ids.iter().for_each(|id| drop(server.ended(id)));
    assert_eq!(
        column(all(&server, "/trips?status=completed&limit=3", "trips", &[]), "id").len()
            + column(all(&server, "/trips?status=compensated&limit=3", "trips", &[]), "id").len(),
        7
    );

    // and so do nights and flights
    let flights = column(all(&server, "/seats?limit=2", "flights", &[]), "flight");
    let nights = all(&server, "/rooms?limit=3", "nights", &[]);
    let nights: Vec<_> =
        nights.iter().map(|n| (n["room"].as_str().unwrap(), n["night"].as_str().unwrap())).collect();
    assert!(flights.is_sorted() && flights.len() >= 5, "{flights:?}");
    assert!(nights.is_sorted() && nights.len() == 8, "{nights:?}");
    assert_eq!(nights.iter().collect::<std::collections::BTreeSet<_>>().len(), 8);
}

#[test]
fn every_route_is_described_and_every_description_is_served() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let described = server.get("/openapi.json").body;
    let paths: Vec<_> = described["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "/livez",
        "/openapi.json",
        "/readyz",
        "/rooms",
        "/sagas",
        "/seats",
        "/trips",
        "/trips/{id}",
        "/trips/{id}/cancel",
        "/trips/{id}/confirm",
    ];
    assert_eq!(paths, expected);
    for path in paths {
        let answer = server.get(&path.replace("{id}", "00c0ffee00c0ffee"));
        assert_ne!(answer.body["type"], "urn:palinode:problem:no-such-route", "{path}");
    }
    assert_eq!(server.get("/livez").body["status"], "alive");
    let ready = server.get("/readyz").body;
    assert_eq!(ready["services"][0], serde_json::json!({"name": "trip", "shards": 8}));
    assert_eq!(ready["read_models"].as_array().unwrap().len(), 5);
}
