//! The lines of `docs/http.md` that are to be typed, run as they stand, in their order.

use std::process::Command;

use crate::{
    run::Data,
    server::{Server, needs},
};

const GUIDE: &str = include_str!("../../../../docs/http.md");
/// The address in the guide.
const THERE: &str = "http://127.0.0.1:8080";

#[test]
fn the_lines_of_the_guide_work_as_they_stand() {
    if let Err(why) = Command::new("curl").arg("--version").output() {
        return needs("the HTTP guide was not tried, there is no curl", &why.to_string());
    }
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let lines: Vec<&str> =
        GUIDE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(
        lines.len() >= 4 && lines.concat().contains(THERE),
        "the guide has other lines than this test knows"
    );

    // when they are run, one block after another, in one shell
    let script = lines.concat().replace(THERE, &format!("http://{}", server.address));
    let output = Command::new("sh").args(["-e", "-u", "-c", &script]).output().unwrap();

    // then every one is answered as the guide says
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "\"status\":\"ready\"",
        "HTTP/1.1 202 Accepted",
        "{\"id\":\"95278b82dc5ae0d7\"}",
        "HTTP/1.1 200 OK",
        // The tables may be a little behind.
        "{\"trips\":[",
        "{\"nights\":[",
        "{\"flights\":[",
        "{\"sagas\":[",
        "\"openapi\":\"3.1.0\"",
    ] {
        assert!(said.contains(expected), "{expected} is not in\n{said}");
    }
    assert_eq!(server.ended("95278b82dc5ae0d7")["status"], "completed");
}
