//! `cargo xtask lint`, `cargo xtask test` and `cargo xtask sim`: the only commands a contributor or a pipeline has to
//! know. They need nothing but Rust and a C compiler.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask lint             formatting, clippy, docs, each feature alone; warnings are errors
cargo xtask test [ARGS..]    every test, doc tests included; ARGS go to cargo test
cargo xtask sim [ARGS..]     whole worlds with seeded faults: [--seeds N] [--from S] [--minutes M] [--twice] [--json]
                             [--shrink SEED], or planted bugs: --zoo [--bug NAME]; --help tells all
cargo xtask bench [ARGS..]   the speed of the engine beside its limits; --quick, --only W2, --json
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let done = match task.as_str() {
        "lint" => lint(),
        "test" => test(&rest),
        "sim" => sim(&rest),
        "bench" => bench(&rest),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(&format!("xtask {task}: {e:#}"));
            ExitCode::FAILURE
        }
    }
}

fn lint() -> Result<()> {
    run("cargo", &["fmt", "--all", "--check"], &[])?;
    run("cargo", &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"], &[])?;
    run("cargo", &["doc", "--workspace", "--no-deps", "--all-features"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    for features in ["", "sqlite", "testing"] {
        let alone = ["clippy", "-p", "palinode", "--no-default-features", "--features", features];
        run("cargo", &[&alone[..], &["--", "-D", "warnings"]].concat(), &[])?;
    }
    // As a user builds them: without the features that only tests have.
    run("cargo", &["clippy", "-p", "booking", "-p", "palinode-bench", "--", "-D", "warnings"], &[])
}

fn test(rest: &[String]) -> Result<()> {
    let mut args = vec!["test", "--workspace", "--all-features"];
    args.extend(rest.iter().map(String::as_str));
    run("cargo", &args, &[])
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

fn bench(rest: &[String]) -> Result<()> {
    let mut args = vec!["run", "--release", "--package", "palinode-bench", "--"];
    args.extend(rest.iter().map(String::as_str));
    run("cargo", &args, &[])
}

fn run(program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    say(&format!("> {program} {}\n", args.join(" ")));
    let status = Command::new(program)
        .args(args)
        .envs(env.iter().copied())
        .status()
        .with_context(|| format!("{program} could not be started"))?;
    if !status.success() {
        bail!("{program} {} failed", args.join(" "));
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "this is a command line program")]
fn say(text: &str) {
    eprint!("{text}");
}
