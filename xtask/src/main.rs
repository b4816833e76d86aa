//! `cargo xtask lint`, `test`, `stack`, `compose`, `sim`, `chaos` and `bench`: the only commands a contributor or a pipeline has to know.
//! They need nothing but Rust and a C compiler; what a real server needs is said where it is missing.

mod compose;
mod golang;
mod shell;
mod stack;
mod suites;

use std::process::ExitCode;

use anyhow::Result;
use shell::{run, say};
use stack::{Stack, USUAL};
use suites::servers::Servers;

const USAGE: &str = "\
cargo xtask lint             formatting, clippy, docs, each feature alone; warnings are errors
cargo xtask test [ARGS..]    every test, doc tests included, those on real servers too; ARGS go to cargo test
cargo xtask stack up|down|status [SERVER..]
                             a real Kafka and a real PostgreSQL on free ports of this machine; --jaeger, --prometheus:
                             those as well; up --export prints their addresses for a shell, --name NAME is another
                             stack beside the first
cargo xtask compose          the compose files, by the real parser of Docker Compose; builds it with Go, once
cargo xtask sim [ARGS..]     whole worlds with seeded faults: [--seeds N] [--from S] [--minutes M] [--twice] [--json]
                             [--shrink SEED], or planted bugs: --zoo [--bug NAME]; --help tells all
cargo xtask chaos [ARGS..]   disasters on real processes and servers of their own: [--minutes M] [--seed S] [--only NAME]
                             [--json]; each once when no minutes are said
cargo xtask bench [ARGS..]   the speed of the engine beside its limits; --quick, --only W2, --json; --kafka: of several
                             processes on servers of its own, or on those of PALINODE_KAFKA and PALINODE_POSTGRES
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let done = match task.as_str() {
        "lint" => lint(),
        "test" => suites::test(&rest),
        "stack" => stack::command(&rest),
        "compose" => compose::Parser::find().and_then(|parser| compose::check(&parser)),
        "sim" => sim(&rest),
        "chaos" => chaos(&rest),
        "bench" => bench(&rest),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(&format!("xtask {task}: {e:#}\n"));
            ExitCode::FAILURE
        }
    }
}

fn lint() -> Result<()> {
    run("cargo", &["fmt", "--all", "--check"], &[])?;
    run("cargo", &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"], &[])?;
    run("cargo", &["doc", "--workspace", "--no-deps", "--all-features"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    for features in ["", "sqlite", "kafka", "postgres", "settings", "otel", "testing"] {
        let alone = ["clippy", "-p", "palinode", "--no-default-features", "--features", features];
        run("cargo", &[&alone[..], &["--", "-D", "warnings"]].concat(), &[])?;
    }
    // As a user builds them: without the features that only tests have.
    run("cargo", &["clippy", "-p", "booking", "-p", "palinode-bench", "--", "-D", "warnings"], &[])
}

/// The simulator; with planted bugs only when they are asked for.
fn sim(rest: &[String]) -> Result<()> {
    let mut args = vec!["run", "--quiet", "--package", "palinode-sim", "--bin", "sim"];
    if rest.iter().any(|arg| arg == "--zoo") {
        args.extend(["--features", "zoo"]);
    }
    args.push("--");
    args.extend(rest.iter().map(String::as_str));
    run("cargo", &args, &[])
}

/// Disasters. They start and end servers by this very program.
fn chaos(rest: &[String]) -> Result<()> {
    let program = suites::program()?;
    let mut args = vec!["run", "--quiet", "--package", "palinode-chaos", "--bin", "chaos", "--", "run"];
    args.extend(rest.iter().map(String::as_str));
    run("cargo", &args, &[(suites::PROGRAM, &program)])
}

/// The benchmark; that of several processes with servers that nobody else uses meanwhile.
fn bench(rest: &[String]) -> Result<()> {
    let mut args = vec!["run", "--release", "--package", "palinode-bench"];
    let rest = rest.iter().map(String::as_str);
    if !rest.clone().any(|arg| arg == "--kafka") {
        args.extend(["--"].into_iter().chain(rest));
        return run("cargo", &args, &[]);
    }
    args.extend(["--features", "servers", "--"].into_iter().chain(rest));
    let servers = Servers::up(Stack::open("bench")?, &USUAL)?;
    let measured = servers.all_run().and_then(|()| run("cargo", &args, &servers.env()));
    let ended = servers.down();
    measured.and(ended)
}
