//! The bank as a process of its own: it may die and come back while trips are booked.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use run::Data;

/// A bank. Killed when it is dropped.
struct Bank {
    child: Child,
    url: String,
}

impl Bank {
    fn open(data: &Path, listen: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_booking"))
            .args(["bank", "--listen", listen, "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it said {line:?}"));
        Self { url: url.to_owned(), child }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn trips_are_paid_once_though_the_bank_is_killed() {
    let (data, vault) = (Data::new(), Data::new());
    let bank = Bank::open(vault.folder(), "127.0.0.1:0");
    let (url, address) = (bank.url.clone(), bank.address().to_owned());

    // given trips that are being booked, each of them accepted with a line
    let mut work = Command::new(env!("CARGO_BIN_EXE_booking"))
        .args(["work", "--seed", "7", "--from", "0", "--until", "1500", "--bank", &url, "--data"])
        .arg(data.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(work.stdout.take().unwrap()).lines();
    let mut accepted = |n: usize| assert_eq!(said.by_ref().take(n).map_while(Result::ok).count(), n);

    // when the bank dies among them and comes back under its address
    accepted(400);
    drop(bank);
    accepted(50);
    let bank = Bank::open(vault.folder(), &address);
    accepted(1_050);
    assert!(work.wait().unwrap().success());

    // then nobody has paid twice and nobody for nothing
    let verified = data.good(&["verify", "--bank", &url]);
    assert_eq!(verified["clean"], true, "{verified}");
    assert!(verified["charges"].as_u64() > Some(1_000), "{verified}");
    assert!(!data.folder().join("payments.db").exists());

    // and without its bank the same data does not agree
    let (alone, good) = data.run(&["verify"]);
    assert!(!good && alone["differences"].as_u64() > Some(1_000), "{alone}");
    drop(bank);
    let away = data.output(&["verify", "--bank", &url]);
    assert!(String::from_utf8_lossy(&away.stderr).contains(&address), "{away:?}");
}

#[test]
fn an_address_that_is_no_bank_is_refused_at_once() {
    let output = Data::new().output(&["--trips", "1", "--bank", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is http://HOST:PORT"), "{output:?}");
}
