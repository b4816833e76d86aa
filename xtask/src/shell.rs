//! Running programs of others in the foreground, and talking to the person in front of the terminal. Knows no task.

use std::{
    fmt::Display,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Runs a program whose output the person sees.
///
/// # Errors
/// It could not be started, or it failed.
pub(crate) fn run(program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
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

/// Runs a program in silence, without standard input, and answers what it wrote to standard output.
///
/// # Errors
/// It could not be started, or it failed: the error holds what it said.
pub(crate) fn quiet(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| format!("{program} could not be started"))?;
    let text = String::from_utf8_lossy(&stdout).into_owned();
    if !status.success() {
        bail!("{program} failed, {status}:\n{}{}", text, String::from_utf8_lossy(&stderr));
    }
    Ok(text)
}

/// The first program of this name on the path.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A text for the person: progress, results, complaints.
#[expect(clippy::print_stderr, reason = "this is a command line program")]
pub(crate) fn say(text: &str) {
    eprint!("{text}");
}

/// A line for the program that reads our output. A closed pipe is its choice.
pub(crate) fn print(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Whether this is a pipeline, where nothing may be left out.
pub(crate) fn ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
