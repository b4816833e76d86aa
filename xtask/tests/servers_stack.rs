//! A stack of its own, with real servers: up, up again at the same time, died and up again, down, down again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

use std::{
    net::TcpStream,
    process::{Command, Output, Stdio},
};

/// A stack with a name that no other has, which ends with the test.
struct Stack(String);

impl Stack {
    fn command(&self, verb: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["stack", verb, "--name", &self.0]).args(more).stdin(Stdio::null());
        command
    }

    fn run(&self, verb: &str, more: &[&str]) -> (bool, String) {
        let Output { status, stdout, stderr } = self.command(verb, more).output().unwrap();
        (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }

    #[track_caller]
    fn good(&self, verb: &str, more: &[&str]) -> String {
        let (good, said) = self.run(verb, more);
        assert!(good, "{verb}: {said}");
        said
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run("down", &[]);
    }
}

/// The value of a variable among lines for a shell.
fn exported<'a>(said: &'a str, variable: &str) -> &'a str {
    let start = format!("export {variable}='");
    let line = said.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{said}"));
    line.strip_suffix('\'').unwrap()
}

/// The number of a server's process, out of a status.
fn process(status: &str, server: &str) -> String {
    let line = status.lines().find(|line| line.starts_with(server)).unwrap_or_else(|| panic!("{status}"));
    let (_, rest) = line.split_once("process ").unwrap();
    rest.split(';').next().unwrap().to_owned()
}

#[test]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
fn a_stack_comes_and_goes() {
    let stack = Stack(format!("test-{}", std::process::id()));
    let (good, said) = stack.run("status", &[]);
    assert!(!good && said.contains("not ready: kafka, postgres"), "{said}");

    // when two commands start it at the same time
    let first = stack.command("up", &["--export"]).stdout(Stdio::piped()).spawn().unwrap();
    let second = stack.good("up", &["--export"]);
    let first = String::from_utf8(first.wait_with_output().unwrap().stdout).unwrap();

    // then there is one of each
    let (kafka, postgres) = (exported(&first, "PALINODE_KAFKA"), exported(&first, "PALINODE_POSTGRES"));
    assert_eq!(kafka, exported(&second, "PALINODE_KAFKA"));
    assert_eq!(postgres, exported(&second, "PALINODE_POSTGRES"));
    let status = stack.good("status", &[]);
    assert_eq!(status.matches("ready at ").count(), 2, "{status}");

    // and those that die are said to be dead, and come back where they were
    for server in ["kafka", "postgres"] {
        let died = process(&status, server);
        assert!(Command::new("kill").args(["-KILL", &died]).status().unwrap().success());
        while stack.run("status", &[server]).0 {}
        assert!(stack.run("status", &[server]).1.contains("died"));
    }
    let again = stack.good("up", &["--export"]);
    assert_eq!(
        (exported(&again, "PALINODE_KAFKA"), exported(&again, "PALINODE_POSTGRES")),
        (kafka, postgres)
    );
    assert_ne!(process(&stack.good("status", &[]), "kafka"), process(&status, "kafka"));

    // when it ends, nobody listens any more, and ending it again is nothing
    let (kafka, port) = (kafka.to_owned(), postgres.split(['@', '/']).nth(3).unwrap().to_owned());
    assert!(TcpStream::connect(&kafka).is_ok() && TcpStream::connect(&port).is_ok(), "{kafka} {port}");
    assert!(stack.good("down", &[]).contains("kafka has ended"));
    assert!(TcpStream::connect(&kafka).is_err() && TcpStream::connect(&port).is_err(), "{kafka} {port}");
    assert_eq!(stack.good("down", &[]), "");
}
