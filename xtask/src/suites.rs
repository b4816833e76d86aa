//! `cargo xtask test`: every test there is. First all that need nothing; then those on real servers, on a stack that is
//! started for them meanwhile, and ended if it was. What did not run is said at the end, aloud; in a pipeline that is a failure.

mod left_out;
pub(crate) mod servers;
mod targets;

use std::{process::Command, thread};

use anyhow::{Context as _, Result, bail};
use left_out::{LeftOut, Skipped};
use servers::Servers;
use targets::{Metadata, Suite};

use crate::{
    compose::{self, Parser},
    shell::{ci, quiet, run, say},
    stack::Stack,
};

/// The variable in which tests find this program, to start servers of their own with.
pub(crate) const PROGRAM: &str = "PALINODE_XTASK";

/// Where this program is.
///
/// # Errors
/// The system cannot tell.
pub(crate) fn program() -> Result<String> {
    let program = std::env::current_exe().context("where is this program?")?;
    program.into_os_string().into_string().ok().context("this program has a strange name")
}

/// What cargo knows of the workspace.
///
/// # Errors
/// Cargo cannot be asked.
pub(crate) fn metadata() -> Result<Metadata> {
    let text = quiet(Command::new("cargo").args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata has another shape than expected")
}

/// `cargo xtask test ARGS`.
///
/// # Errors
/// A test failed; or, in a pipeline, was left out.
pub(crate) fn test(args: &[String]) -> Result<()> {
    if !args.is_empty() && !wants_servers(args) {
        return cargo_test(&of_a_person(args), &[]);
    }
    let metadata = metadata()?;
    let skipped = Skipped::collect(&metadata)?;
    let (stack, program) = (Stack::default()?, program()?);
    let own = [skipped.env(), (PROGRAM, &*program)];
    let suites: Vec<Suite> = metadata.suites().into_iter().filter(|suite| is_meant(suite, args)).collect();

    let mut left_out = Vec::new();
    let tested = if args.is_empty() {
        everything(&suites, stack, &own, &mut left_out)
    } else {
        let servers = Servers::up(stack, &targets::needed(&suites))?;
        let tested = cargo_test(&of_a_person(args), &[&own[..], &servers.env()].concat());
        tested.and(servers.down())
    };
    left_out.extend(skipped.read());
    say(&left_out::told(&left_out));
    tested?;
    if ci() && !left_out.is_empty() {
        bail!("CI=true, and {} were left out", left_out.len());
    }
    Ok(())
}

/// The whole workspace, while servers start, or are built first; then the compose files, then what needs servers, as far
/// as they run.
fn everything(
    suites: &[Suite],
    stack: Stack,
    own: &[(&str, &str)],
    left_out: &mut Vec<LeftOut>,
) -> Result<()> {
    let starting = thread::spawn({
        let needed = targets::needed(suites);
        move || Servers::up(stack, &needed)
    });
    let tested = cargo_test(&["--workspace".to_owned()], own);
    let Ok(servers) = starting.join() else { bail!("whoever started the servers has panicked") };
    let servers = servers?;
    let tested = tested_first(tested, suites, &servers, own, left_out);
    tested.and(servers.down())
}

/// What follows the tests of the workspace.
fn tested_first(
    tested: Result<()>,
    suites: &[Suite],
    servers: &Servers,
    own: &[(&str, &str)],
    left_out: &mut Vec<LeftOut>,
) -> Result<()> {
    let (ready, missing): (Vec<&Suite>, Vec<&Suite>) = suites.iter().partition(|suite| servers.run(suite));
    left_out.extend(missing.iter().map(|suite| LeftOut::suite(suite, &servers.why_not(suite))));
    if let Err(failed) = tested {
        left_out.extend(ready.iter().map(|suite| LeftOut::suite(suite, "the tests before them failed")));
        return Err(failed);
    }
    let checked = match Parser::find() {
        Ok(parser) => compose::check(&parser),
        Err(why) => {
            left_out.push(LeftOut::compose(&format!("{why:#}")));
            Ok(())
        }
    };
    let env = [own, &servers.env()].concat();
    let tested = if ready.is_empty() { Ok(()) } else { cargo_test(&on_servers(&ready), &env) };
    checked.and(tested)
}

fn on_servers(suites: &[&Suite]) -> Vec<String> {
    let mut args = vec!["--workspace".to_owned(), "--no-fail-fast".to_owned()];
    args.extend(suites.iter().flat_map(|suite| ["--test".to_owned(), suite.name.clone()]));
    args.extend(["--".to_owned(), "--ignored".to_owned()]);
    args
}

fn cargo_test(args: &[String], env: &[(&str, &str)]) -> Result<()> {
    let all: Vec<&str> =
        ["test", "--all-features"].into_iter().chain(args.iter().map(String::as_str)).collect();
    run("cargo", &all, env)
}

/// Only tests on servers are ignored by default: who asks for ignored ones asks for servers.
fn wants_servers(args: &[String]) -> bool {
    args.iter().any(|arg| arg == "--ignored" || arg == "--include-ignored")
}

/// Whether a person who said this means these tests: all, unless there are names.
fn is_meant(suite: &Suite, args: &[String]) -> bool {
    let pairs = args.iter().zip(args.iter().skip(1));
    let mut named = pairs.filter(|(flag, _)| *flag == "--test").map(|(_, name)| name).peekable();
    named.peek().is_none() || named.any(|name| *name == suite.name)
}

/// What a person said, in all packages when they named none.
fn of_a_person(args: &[String]) -> Vec<String> {
    let named = |arg: &String| {
        ["--package", "--workspace"].contains(&&**arg)
            || arg.starts_with("--package=")
            || arg.starts_with("-p")
    };
    let mut all = args.to_vec();
    if !args.iter().take_while(|arg| *arg != "--").any(named) {
        all.insert(0, "--workspace".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_part_is_a_part() {
        assert_eq!(of_a_person(&words("machine")), words("--workspace machine"));
        assert_eq!(of_a_person(&words("-p palinode machine")), words("-p palinode machine"));
        assert_eq!(of_a_person(&words("--workspace machine")), words("--workspace machine"));
        assert_eq!(of_a_person(&words("machine -- -p")), words("--workspace machine -- -p"));
    }

    #[test]
    fn only_the_servers_of_those_tests_are_started_that_are_named() {
        let suite = Suite { name: "kafka_log".into(), packages: Vec::new(), servers: &["kafka"] };
        for (line, meant) in [
            ("", true),
            ("-- --ignored", true),
            ("--test kafka_log -- --ignored", true),
            ("--test servers_run --test kafka_log -- --ignored", true),
            ("--test servers_run -- --ignored kafka_log", false),
        ] {
            assert_eq!(is_meant(&suite, &words(line)), meant, "{line}");
        }
    }

    #[test]
    fn who_asks_for_ignored_tests_asks_for_servers() {
        assert!(wants_servers(&words("--test kafka_log -- --ignored")));
        assert!(wants_servers(&words("-- --include-ignored")));
        assert!(!wants_servers(&words("-p palinode ignored")));
    }
}
