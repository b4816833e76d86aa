//! What a person did to a saga is seen by whoever lists them.

use crate::{
    run::Data,
    server::{Server, trip},
};

#[test]
fn who_let_a_saga_stand_still_and_who_killed_one_is_listed() {
    // given two trips that wait for their guests, of which one is paused and one killed while nobody serves
    let data = Data::new();
    let server = Server::start(data.folder(), &["--hold", "3600"]);
    let ids = ["a", "b"].map(|key| server.post(key, &trip("GBR")).body["id"].as_str().unwrap().to_owned());
    server
        .until("GET", "/trips?status=waiting", |a| a.body["trips"].as_array().is_some_and(|t| t.len() == 2));
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    for (verb, id) in [("pause", &ids[0]), ("kill", &ids[1])] {
        data.good(&["saga", verb, id, "--by", "ada", "--why", "she calls back"]);
    }

    // then the list says who and why, and nothing where there is nothing
    let server = Server::start(data.folder(), &[]);
    let listed = server.get("/sagas").body;
    let row = |id: &str| {
        let rows = listed["sagas"].as_array().unwrap();
        rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{listed}")).clone()
    };
    let (paused, killed) = (row(&ids[0]), row(&ids[1]));
    for (told, other, status) in
        [(&paused["paused"], &paused["killed"], "forward"), (&killed["killed"], &killed["paused"], "killed")]
    {
        let told = told.as_str().unwrap();
        assert!(told.contains("ada") && told.contains("she calls back"), "{told}");
        assert!(other.is_null(), "{listed}");
        assert!(listed["sagas"].as_array().unwrap().iter().any(|row| row["status"] == status), "{listed}");
    }
    for row in [&paused, &killed] {
        assert!(row["leaks"].is_null() && row["exceptions"] == 0, "{row}");
    }
}
