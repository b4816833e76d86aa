//! schemathesis reads the description and asks everything it allows and forbids, with all its checks. It is a Python
//! program: this test installs it, pinned, into the target folder. Without Python or a package registry it says so and
//! is skipped; under CI=true that is a failure.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "../support/run.rs"]
mod run;
#[allow(dead_code, reason = "this test needs only a part of it")]
#[path = "../support/server.rs"]
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use run::Data;
use server::{Server, needs};

/// Every package, each with its version.
const PACKAGES: &str = include_str!("requirements.txt");
/// What lies beside this file.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/described");

/// Runs a program; what it said when it failed.
fn done(program: impl AsRef<Path>, args: &[&str]) -> Result<(), String> {
    let said = |text: String| format!("{} {}: {text}", program.as_ref().display(), args.join(" "));
    let output = Command::new(program.as_ref()).args(args).output().map_err(|e| said(e.to_string()))?;
    let text = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(said(String::from_utf8_lossy(&text).into_owned())) }
}

/// The program, installed in the target folder if it is not there yet; by one test at a time.
fn schemathesis() -> Result<PathBuf, String> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let (installed, python) = (folder.join("installed.txt"), folder.join("bin/python"));
    if fs::read_to_string(&installed).is_ok_and(|packages| packages == PACKAGES) {
        return Ok(folder.join("bin/schemathesis"));
    }
    done("python3", &["-m", "venv", "--clear", folder.to_str().unwrap()])?;
    let requirements = format!("{HERE}/requirements.txt");
    done(python, &["-m", "pip", "install", "--quiet", "--retries", "1", "--requirement", &requirements])?;
    fs::write(installed, PACKAGES).map_err(|e| e.to_string())?;
    Ok(folder.join("bin/schemathesis"))
}

/// Asks everything that the description allows, and much that it forbids, and expects that these checks hold.
fn asked(program: &Path, data: &Data, checks: &[&str], more: &[&str], server: &Server) -> String {
    let described = format!("http://{}/openapi.json", server.address);
    let from = if more.is_empty() { vec![described.as_str()] } else { more.to_vec() };
    let output = Command::new(program)
        .args(["--config-file", &format!("{HERE}/schemathesis.toml"), "run"])
        .args(checks)
        // One worker: the parser of Python 3.11 loses count of its depth when two threads parse (python/cpython#106905).
        .args(["--seed", "1", "--workers", "1", "--request-timeout", "20", "--no-color"])
        .args(from)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", HERE)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(data.folder())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.into_owned()
}

#[test]
fn what_a_crowded_server_says_is_described_too() {
    let program = match schemathesis() {
        Ok(program) => program,
        Err(why) => return needs("a crowded server was not tested, schemathesis is not there", &why),
    };
    // given a server whose only place is taken
    let data = Data::new();
    let server = Server::start(data.folder(), &["--connections", "1", "--patience", "600"]);
    let description = server.until("GET", "/openapi.json", |answer| answer.status == 200).body;
    fs::write(data.folder().join("openapi.json"), description.to_string()).unwrap();
    let _place = loop {
        let mut wire = server.connect();
        wire.send(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n");
        if wire.try_answer().is_some_and(|answer| answer.status == 200) {
            break wire;
        }
    };
    server.get("/trips").is(503, "overloaded");

    // then whatever is asked, it says so as described
    let checks = "status_code_conformance,content_type_conformance,response_schema_conformance,\
                  response_headers_conformance";
    let url = format!("http://{}", server.address);
    let more = ["openapi.json", "--url", &url];
    let said = asked(&program, &data, &["--checks", checks, "--max-examples", "10"], &more, &server);
    assert!(said.contains("Tested: 11"), "not every route was asked:\n{said}");
}

#[test]
fn what_is_described_is_served_and_nothing_else() {
    let program = match schemathesis() {
        Ok(program) => program,
        Err(why) => return needs("the HTTP description was not tested, schemathesis is not there", &why),
    };
    let data = Data::new();
    let server = Server::start(data.folder(), &["--hold", "1"]);

    // when everything is asked that the description allows, and much that it forbids
    // then every answer is one that is described
    let said = asked(&program, &data, &["--checks", "all", "--max-examples", "50"], &[], &server);
    assert!(said.contains("Tested: 10"), "not every route was asked:\n{said}");

    // and the server is as sound as before
    assert_eq!(server.get("/readyz").status, 200);
    server.rests();
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(data.good(&["verify"])["clean"], true);
}
